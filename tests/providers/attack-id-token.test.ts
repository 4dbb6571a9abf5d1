import { randomUUID } from 'node:crypto'
import { generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { providerEnv } from '../support/provider-env.ts'
import { halfHash } from '../support/standins/half-hash.ts'
import { header, segment, startAtStandIns } from '../support/standins/service.ts'
import { newUser } from '../support/visitor.ts'

const { signed, post, log, door } = await startAtStandIns()

const now = () => Math.floor(Date.now() / 1_000)

/** What Google states of somebody who signs in to this service; what is undefined is left out. */
const claims = (change: Record<string, unknown> = {}) => ({
  iss: 'https://accounts.google.com',
  aud: providerEnv.GOOGLE_CLIENT_ID,
  sub: randomUUID(),
  iat: now(),
  exp: now() + 300,
  email: `${randomUUID()}@example.com`,
  email_verified: true,
  ...change,
})

async function signInWith(token: string, path = '/sign-in/social') {
  const response = await post(path, { provider: 'google', idToken: { token } })
  return { status: response.status, cookies: response.headers.getSetCookie().join(), body: await response.json() }
}

/** An answer with the length of its cookie in place of what it holds. */
const shapeOf = ({ cookies, ...answer }: Awaited<ReturnType<typeof signInWith>>) => ({
  ...answer,
  cookies: cookies.replace(/(?<==)[\da-f]+(?=;)/, ({ length }) => `${length} of hex`),
})

test('S-14 an ID token signs nobody in from another site', async () => {
  const given = await signed(claims())
  const body = JSON.stringify({ provider: 'google', idToken: { token: given } })
  const type = { 'content-type': 'application/json' }
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
  ]) {
    const response = await door.request('/api/auth/sign-in/social', {
      method: 'POST',
      body,
      headers: { ...type, ...headers },
    })
    expect([headers, response.status, response.headers.getSetCookie()]).toEqual([headers, 403, []])
  }
  expect((await signInWith(given)).cookies).toContain('session_token=')
})

describe('X-05 an ID token that a client brings', () => {
  test.each<[string, Parameters<typeof claims>[0]]>([
    ['for this service', {}],
    ['for this service, named in a list', { aud: [providerEnv.GOOGLE_CLIENT_ID] }],
    [
      'for others too, and to this service',
      { aud: [providerEnv.GOOGLE_CLIENT_ID, 'x'], azp: providerEnv.GOOGLE_CLIENT_ID },
    ],
    ['with what an application of its own has asked for', { nonce: 'a-nonce', at_hash: halfHash('an access token') }],
    ['for a subject of 255 characters', { sub: randomUUID().padEnd(255, 'x') }],
  ])('is taken when Google has issued it %s', async (_what, change) => {
    const { status, cookies } = await signInWith(await signed(claims(change)))

    expect(status).toBe(200)
    expect(cookies).toContain('session_token=')
  })

  test.each<[string, () => Promise<string> | string]>([
    ['that nobody has signed', () => `${segment({ alg: 'none' })}.${segment(claims())}.`],
    [
      'signed with the secret of the client',
      () => signed(claims(), { ...header, alg: 'HS256' }, new TextEncoder().encode(providerEnv.GOOGLE_CLIENT_SECRET)),
    ],
    ['signed by another', async () => signed(claims(), header, (await generateKeyPair('RS256')).privateKey)],
    ['signed with a key that is not known', () => signed(claims(), { ...header, kid: 'another' })],
    ['of another issuer', () => signed(claims({ iss: 'https://accounts.google.com.evil.example' }))],
    ['for another client', () => signed(claims({ aud: 'another-client' }))],
    ['for others too', () => signed(claims({ aud: [providerEnv.GOOGLE_CLIENT_ID, 'another-client'] }))],
    ['without an end', () => signed(claims({ exp: undefined }))],
    ['that has ended', () => signed(claims({ exp: now() - 60 }))],
    ['of a minute ahead', () => signed(claims({ iat: now() + 60 }))],
    ['without a time of issue', () => signed(claims({ iat: undefined }))],
    ['of two hours ago', () => signed(claims({ iat: now() - 7_200, exp: now() + 7_200 }))],
    ['without a subject', () => signed(claims({ sub: undefined }))],
    ['with a blank subject', () => signed(claims({ sub: ' ' }))],
    ['with a subject of 256 characters', () => signed(claims({ sub: randomUUID().padEnd(256, 'x') }))],
  ])('is refused %s', async (_what, make) => {
    const { status, body, cookies } = await signInWith(await make())

    expect([status, body]).toMatchObject([401, { code: 'INVALID_TOKEN' }])
    expect(cookies).not.toContain('session_token=')
  })

  test('is refused with why in the log', async () => {
    await signInWith(await signed(claims({ aud: 'somebody-else' })))

    const told = () => log().findLast(({ msg }) => msg === 'an ID token of Google is not taken')
    await expect.poll(told).toMatchObject({ level: 40, err: { message: 'unexpected "aud" claim value' } })
  })

  test('does not tell whether anybody has the address, unless Google has verified it', async () => {
    const { email, ...user } = newUser()
    expect((await post('/sign-up/email', { email, ...user })).status).toBe(200)

    const [hers, nobodys] = [claims({ email, email_verified: false }), claims({ email_verified: false })]
    const known = await signInWith(await signed(hers))
    const answers = [known]
    for (const given of [hers, nobodys, nobodys]) answers.push(await signInWith(await signed(given)))

    expect(known).toMatchObject({ status: 403, body: { code: 'EMAIL_NOT_VERIFIED' } })
    // It lets a click confirm an address that is theirs.
    expect(shapeOf(known).cookies).toMatch(
      /^better-auth\.unconfirmed=\d+ of hex; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    for (const answer of answers) expect(shapeOf(answer)).toEqual(shapeOf(known))
    // Each is new, although it may hold the same.
    expect(new Set(answers.map(({ cookies }) => cookies)).size).toBe(4)
    const verified = await signInWith(await signed({ ...hers, email_verified: true }))
    expect(verified).toMatchObject({ status: 401, body: { code: 'OAUTH_LINK_ERROR' } })
  })

  test('adds nothing to an account in a session of nobody', async () => {
    expect((await signInWith(await signed(claims()), '/link-social')).status).toBe(401)
  })
})
