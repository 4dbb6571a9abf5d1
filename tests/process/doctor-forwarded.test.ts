import { createHmac } from 'node:crypto'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createArrivalProofs } from '../../src/doctor/arrival.ts'
import { untrustedProxyWarning } from '../../src/doctor/untrusted-proxy.ts'
import { createLog } from '../../src/log.ts'
import { derivedKey } from '../../src/secret.ts'
import { examined, startBehind } from '../support/examined.ts'
import { appending, type Habits, without } from '../support/front-proxy.ts'
import { secret, startServiceForFile, type TestService } from '../support/harness.ts'

const stripping: Habits = { request: (headers) => without(headers, 'x-forwarded-for') }
const passing: Habits = {}
const cleaning: Habits = { request: (headers, client) => ({ ...headers, 'x-forwarded-for': client }) }
const naming: Habits = {
  request: (headers, client) => ({ ...without(headers, 'x-forwarded-for'), forwarded: `for=${client}` }),
}
/** A content network before a proxy, which is the only one that the service knows. */
const twice: Habits = { request: (headers) => ({ ...headers, 'x-forwarded-for': '203.0.113.5, 198.51.100.7' }) }

const untrusting = await startBehind(appending)
const trusting = await startBehind(appending, { TRUSTED_PROXIES: '127.0.0.2' })
const trustingAll = await startBehind(appending, { TRUSTED_PROXIES: '127.0.0.0/8' })
const direct = await startServiceForFile()
const directTrusting = await startServiceForFile({ env: { TRUSTED_PROXIES: '127.0.0.1, ::1' } })

describe('forwarded headers, as the doctor sees them', () => {
  test.each<[string, string, Habits, typeof trusting, RegExp, RegExp]>([
    ['a trusted proxy that appends', 'ok', appending, trusting, /proxy at 127\.0\.0\.2 tells the address/, /^$/],
    ['a trusted proxy that tells nothing but the client', 'ok', cleaning, trusting, /tells the address/, /^$/],
    [
      'a proxy that nobody trusts',
      'problem',
      appending,
      untrusting,
      /127\.0\.0\.2 is not trusted: all/,
      /TRUSTED_PROXIES=127\.0\.0\.2/,
    ],
    [
      'a proxy that adds nothing and is not trusted',
      'warning',
      stripping,
      untrusting,
      /from 127\.0\.0\.2, without/,
      /add X-Forwarded-For/,
    ],
    ['a trusted proxy that adds nothing', 'problem', stripping, trusting, /sends no X-Forwarded-For/, /append/],
    ['a trusted proxy that adds Forwarded only', 'problem', naming, trusting, /sends Forwarded only/, /append/],
    ['a trusted proxy that passes on what clients claim', 'problem', passing, trusting, /anybody chooses/, /append/],
    [
      'a second proxy that is not trusted',
      'problem',
      twice,
      trusting,
      /another proxy, at 198\.51\.100\.7/,
      /Add 198\.51\.100\.7/,
    ],
    [
      'a network that is trusted with its people',
      'warning',
      appending,
      trustingAll,
      /trusted as a proxy, too/,
      /proxies only/,
    ],
  ])('%s: %s', async (_name, level, habits, { service, proxy }, what, mend) => {
    proxy.habits = habits

    const { 'forwarded-headers': finding } = await examined(service)

    expect(finding).toMatchObject({ level, what: expect.stringMatching(what) as string })
    expect(finding?.mend ?? '').toMatch(mend)
  })

  test.each([
    ['ok', direct],
    ['warning', directTrusting],
  ])('no proxy at all, with who asks trusted as one or not: %s', async (level, service) => {
    expect((await examined(service))['forwarded-headers']).toMatchObject({
      level,
      what: expect.stringMatching(/without a proxy/) as string,
    })
  })
})

describe('a proxy that is not trusted', () => {
  const warnings = ({ logLines }: TestService) =>
    logLines().filter((line) => line.includes('forwarded headers come from an address'))

  test('is told of in the log, once, with its address', async () => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-forwarded-for'])
      await direct.request('/api/auth/get-session', { headers: { [name]: '192.0.2.9', connection: 'close' } })

    expect(warnings(direct).map((line) => JSON.parse(line) as object)).toMatchObject([{ level: 40, peer: '127.0.0.1' }])
  })

  test('is not seen in a proxy that is trusted, nor in a client without a proxy', async () => {
    trusting.proxy.habits = appending
    expect((await fetch(`${trusting.proxy.url}/api/auth/get-session`)).status).toBe(200)
    await examined(trusting.service)

    expect(warnings(trusting.service)).toEqual([])
  })

  test('is told of once more where it is not of a network of one’s own', () => {
    const told: unknown[] = []
    const log = createLog(
      'warn',
      new Writable({ write: (line, _encoding, done) => done(void told.push(JSON.parse(String(line)))) }),
    )
    const warn = untrustedProxyWarning(log)

    for (const peer of ['203.0.113.7', '10.0.0.1', '203.0.113.8', '::1', 'unknown', 'fd00::1']) warn(peer)

    expect(told).toMatchObject([{ peer: '203.0.113.7' }, { peer: '10.0.0.1' }])
  })
})

describe('/health/arrival', () => {
  const ask = (authorization?: string) =>
    direct.request('/health/arrival', {
      headers: { 'x-forwarded-for': '192.0.2.9', ...(authorization !== undefined && { authorization }) },
    })
  const proofs = createArrivalProofs(derivedKey(secret, 'arrival'))

  test('tells how a request arrived to who has the secret', async () => {
    const answer = await ask(`Bearer ${proofs.make()}`)

    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await answer.json()).toEqual({
      address: '127.0.0.1',
      peer: '127.0.0.1',
      peerPort: expect.any(Number) as number,
      isTrusted: false,
      hops: ['192.0.2.9'],
      hasForwarded: false,
    })
  })

  const at = (time: number, key = derivedKey(secret, 'arrival')) =>
    `Bearer ${time}.${createHmac('sha256', key).update(String(time)).digest('base64url')}`
  test.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['a made-up proof', `Bearer ${Date.now()}.x`],
    ['a proof with another secret', at(Date.now(), derivedKey([...secret].reverse().join(''), 'arrival'))],
    ['a key of another use', at(Date.now(), derivedKey(secret, 'cursor'))],
    ['an old proof', at(Date.now() - 3_700_000)],
    ['a proof of later', at(Date.now() + 3_700_000)],
    ['a proof with something added', `Bearer ${proofs.make()}.x`],
    ['another scheme', `Basic ${proofs.make()}`],
  ])('is not there for who has %s', async (_name, authorization) => {
    expect((await ask(authorization)).status).toBe(404)
  })
})
