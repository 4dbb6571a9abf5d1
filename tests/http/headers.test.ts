import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile, type TestService } from '../support/harness.ts'

const trusted = 'https://app.example.com'
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted, TRUSTED_PROXIES: '10.0.0.0/8' } })

describe('the address of the client', () => {
  const forwarded = '192.0.2.66, 198.51.100.7, 10.1.2.3'

  /** The address that a sign-in with these headers is recorded with. */
  async function recordedAddress(of: TestService, headers: Record<string, string>): Promise<string | null> {
    const json = { email: `${randomUUID()}@example.com`, name: 'Ada', password }
    const response = await of.request('/api/auth/sign-up/email', { json, headers: { origin: of.baseUrl, ...headers } })
    const { user } = (await response.json()) as { user: { id: string } }
    const row = await of.db.selectFrom('session').select('ip_address').where('user_id', '=', user.id).executeTakeFirst()
    return row?.ip_address ?? null
  }

  test('is the peer, whatever a client claims', async () => {
    const names = ['x-forwarded-for', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip', 'true-client-ip']
    const claims = Object.fromEntries(names.map((name) => [name, '192.0.2.66']))

    expect(await recordedAddress(service, { ...claims, forwarded: 'for=192.0.2.66' })).toBe('127.0.0.1')
    expect(await recordedAddress(service, { 'x-forwarded-for': forwarded })).toBe('127.0.0.1')
  })

  test('behind proxies of ours is the right-most hop that is none of them', async () => {
    const behind = await startService({ env: { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' } })
    onTestFinished(() => behind.stop())
    const behindIt = (hops: string) => recordedAddress(behind, { 'x-forwarded-for': hops })

    expect(await behindIt(forwarded)).toBe('198.51.100.7')
    expect(await behindIt('198.51.100.7')).toBe('198.51.100.7')
    expect(await behindIt('192.0.2.66, 11.1.2.3')).toBe('11.1.2.3')
    expect(await behindIt('10.0.0.1, 10.0.0.2')).toBe('10.0.0.1')
    // What stands before a hop that is no address was not written by a proxy of ours.
    expect(await behindIt('192.0.2.66, unknown, 10.1.2.3')).toBe('10.1.2.3')
    expect(await behindIt('')).toBe('127.0.0.1')
    expect(await behindIt('::ffff:198.51.100.7')).toBe('198.51.100.7')
    // Of an IPv6 address the /64 is kept: the rest changes by the day.
    expect(await behindIt('2001:db8:1:2:3:4:5:6')).toBe('2001:0db8:0001:0002:0000:0000:0000:0000')
    expect(await recordedAddress(behind, { 'x-client-ip': '192.0.2.66' })).toBe('127.0.0.1')
  })
})
