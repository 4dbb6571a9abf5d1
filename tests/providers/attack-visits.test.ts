import { generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { providerEnv } from '../support/provider-env.ts'
import { halfHash } from '../support/standins/half-hash.ts'
import { header, segment, startAtStandIns } from '../support/standins/service.ts'

const { standIns, signed, visit, ask } = await startAtStandIns()
const now = () => Math.floor(Date.now() / 1_000)

describe('X-04 an ID token that Google hands over', () => {
  test('is taken when it is the answer to this sign-in', async () => {
    const { at, cookies } = await visit('google')

    expect(at).toBe('/account')
    expect(cookies).toContain('session_token=')
  })

  test.each<[string, Record<string, unknown>]>([
    ['without a nonce', { nonce: undefined }],
    ['with another nonce', { nonce: 'another' }],
    ['for another access token', { at_hash: halfHash('another') }],
    ['of another issuer', { iss: 'https://accounts.google.com.evil.example' }],
    ['for another client', { aud: 'another-client' }],
    ['for others too', { aud: [providerEnv.GOOGLE_CLIENT_ID, 'another-client'] }],
    ['without an end', { exp: undefined }],
    ['that has ended', { exp: now() - 60 }],
    ['of a minute ahead', { iat: now() + 60 }],
    ['without a time of issue', { iat: undefined }],
    ['of two hours ago', { iat: now() - 7_200, exp: now() + 7_200 }],
    ['without a subject', { sub: undefined }],
    ['with a blank subject', { sub: ' ' }],
  ])('is refused %s', async (_what, change) => {
    standIns.claims = change

    const { at, cookies } = await visit('google')

    expect(at).toMatch(/^\/error\?error=unable_to_get_user_info/)
    expect(cookies).not.toContain('session_token=')
  })

  test('has mostly ended when what is on file of somebody is looked at', async () => {
    const exp = now()
    standIns.claims = { exp }
    const { cookies } = await visit('google')
    const [{ id } = { id: '' }] = (await ask('/list-accounts', cookies)) as { id: string }[]
    await expect.poll(now, { timeout: 10_000 }).toBeGreaterThan(exp + 5)

    expect(await ask(`/account-info?accountId=${id}`, cookies)).toMatchObject({
      user: { email: standIns.person.email },
    })
  })

  test('is taken when the clock of Google is ahead', async () => {
    standIns.claims = { iat: now() + 3 }

    expect((await visit('google')).at).toBe('/account')
  })

  test.each<[string, (given: object) => Promise<string> | string]>([
    ['that nobody has signed', (given) => `${segment({ alg: 'none' })}.${segment(given)}.`],
    [
      'signed with the secret of the client',
      (given) => signed(given, { ...header, alg: 'HS256' }, new TextEncoder().encode(providerEnv.GOOGLE_CLIENT_SECRET)),
    ],
    ['signed by another', async (given) => signed(given, header, (await generateKeyPair('RS256')).privateKey)],
    ['signed with a key that is not known', (given) => signed(given, { ...header, kid: 'another' })],
    ['that is none', () => 'garbage'],
  ])('is refused %s', async (_what, make) => {
    standIns.idToken = make

    const { at, cookies } = await visit('google')

    expect(at).toMatch(/^\/error\?error=unable_to_get_user_info/)
    expect(cookies).not.toContain('session_token=')
  })

  test('is checked with keys that are asked for once', async () => {
    await visit('google')
    standIns.asked.length = 0

    expect((await visit('google')).at).toBe('/account')

    expect(standIns.asked).toEqual(['accounts.google.com/o/oauth2/v2/auth', 'oauth2.googleapis.com/token'])
  })
})

test.each([
  ['the name', 'Ada Lovelace'],
  ['the login where there is no name', undefined],
])('of somebody at GitHub %s is taken', async (_what, name) => {
  if (name !== undefined) standIns.person.name = name
  const { cookies } = await visit('github')

  expect(await ask('/get-session', cookies)).toMatchObject({ user: { name: name ?? `user-${standIns.person.id}` } })
})

test.each(['google', 'github'])('X-14 a name of a megabyte at %s signs nobody in', async (provider) => {
  standIns.person.name = 'x'.repeat(1_048_576)

  const { at, cookies } = await visit(provider)

  expect(at).toMatch(/^\/error\?error=/)
  expect(cookies).not.toContain('session_token=')
})
