import { randomBytes } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  challengeOf,
  createBareClient,
  type Fields,
  good,
  over,
  refusalOf,
  type SendOptions,
  type Tokens,
  tokensIn,
  useOf as useOfTokens,
  userInfo,
} from '../support/bare-client.ts'
import { createTestDatabase, type SignedIn, startService, startServiceForFile } from '../support/harness.ts'
import { redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db } = service
const client = createBareClient(service, await registerClient(service))
const other = createBareClient(service, await registerClient(service))

const codeFor = (user: SignedIn) => client.codeFor(createVisitor(service, user.cookie))

const useOf = (tokens: Tokens) => useOfTokens(service, client, tokens)

const blanks = ['authorization_code ', ' authorization_code', '\tauthorization_code', 'authorization_code\n']
// Whoever has a code and does not know the secret of its client.
const forger = createBareClient(service, { ...client, secret: 'x'.repeat(43) })
const forgeries: [string, Fields, SendOptions][] = [
  ['another secret', {}, { auth: 'basic' }],
  ['another secret in the body', {}, { auth: 'post' }],
  ['no secret', {}, { auth: 'none' }],
  ['no secret, and a verifier of their own', { code_verifier: 'x'.repeat(43) }, { auth: 'none' }],
  ['no secret, and another redirect URI', { redirect_uri: `${redirectUri}/` }, { auth: 'none' }],
  ['no secret, and no redirect URI', { redirect_uri: undefined }, { auth: 'none' }],
]

describe('P-03 the proof key of a code', () => {
  const exchange = async (verifier: (right: string) => string | undefined) => {
    const code = await codeFor(await service.createSignedIn())
    return client.redeem(code, { code_verifier: verifier(code.verifier) })
  }

  test('is the one that was promised', async () => {
    expect((await exchange((right) => right)).status).toBe(200)
    expect(refusalOf(await exchange(() => randomBytes(32).toString('base64url')))).toEqual([400, 'invalid_grant'])
  })

  // Each is the one that was promised, as far as its hash tells.
  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['of 42 characters', 'x'.repeat(42)],
    ['of 129 characters', 'x'.repeat(129)],
    ['of other characters', '+'.repeat(43)],
  ])('is refused when it is %s', async (_, verifier) => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const code = await client.codeFor(visitor, { code_challenge: challengeOf(verifier ?? '') })
    expect(await client.redeem(code, { code_verifier: verifier })).toMatchObject({ status: 400 })
  })

  test('may be as short and as long as it may', async () => {
    for (const verifier of ['x'.repeat(43), '~'.repeat(128)]) {
      const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
      const code = await client.codeFor(visitor, { code_challenge: challengeOf(verifier) })
      expect((await client.redeem(code, { code_verifier: verifier })).status).toBe(200)
    }
  })
})

describe('P-05 a code', () => {
  test('is for its client alone', async () => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await other.redeem(code))).toEqual([400, 'invalid_grant'])
    const tokens = tokensIn(await client.redeem(code))
    expect(refusalOf(await other.redeem(code))).toEqual([400, 'invalid_grant'])
    expect(await useOf(tokens)).toEqual(good)
  })

  test('is named', async () => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await client.redeem(code, { code: undefined }))).toEqual([400, 'invalid_request'])
  })

  test('is for its redirect URI alone', async () => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await client.redeem(code, { redirect_uri: `${redirectUri}/` }))).toEqual([400, 'invalid_grant'])
  })

  test('names the redirect URI again', async () => {
    const code = await codeFor(await service.createSignedIn())
    expect((await client.redeem(code, { redirect_uri: undefined })).status).toBe(400)
  })

  test('is good for ten minutes', async () => {
    const code = await codeFor(await service.createSignedIn())
    const { expires_at } = await db
      .selectFrom('verification')
      .select('expires_at')
      .where('value', 'like', '{"type":"authorization\\_code"%')
      .orderBy('created_at', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow()
    expect(expires_at.getTime()).toBeLessThanOrEqual(Date.now() + 600_000)
    await db
      .updateTable('verification')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .execute()
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
  })

  test('ends with the session in which it was given', async () => {
    const user = await service.createSignedIn()
    const code = await codeFor(user)
    await service.request('/api/auth/sign-out', { cookie: user.cookie, json: {} })
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
  })

  test.each(forgeries)('is not used up by who sends %s', async (_, more, options) => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await forger.redeem(code, more, options))).toEqual([401, 'invalid_client'])
    expect((await client.redeem(code)).status).toBe(200)
  })

  // The library takes the code before it looks at them.
  test.each<[string, Fields]>([
    ['verifier', { code_verifier: 'x'.repeat(43) }],
    ['redirect URI', { redirect_uri: `${redirectUri}/` }],
  ])('is used up by its own client with a wrong %s', async (_, more) => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await client.redeem(code, more))).toEqual([400, 'invalid_grant'])
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
  })

  test.each(blanks)(
    'is not used up by another client that puts a blank into the type of the grant: "%s"',
    async (type) => {
      const code = await codeFor(await service.createSignedIn())
      expect(refusalOf(await other.redeem(code, { grant_type: type }))).toEqual([400, 'unsupported_grant_type'])
      expect((await client.redeem(code)).status).toBe(200)
    },
  )
})

describe('P-06 a code that comes again', () => {
  test.each(forgeries)('ends nothing when who brings it sends %s', async (_, more, options) => {
    const code = await codeFor(await service.createSignedIn())
    const tokens = tokensIn(await client.redeem(code))
    expect(refusalOf(await forger.redeem(code, more, options))).toEqual([401, 'invalid_client'])
    expect(await useOf(tokens)).toEqual(good)
  })

  test.each(blanks)('ends what was given for it, though the first time there was a blank: "%s"', async (type) => {
    const code = await codeFor(await service.createSignedIn())
    expect(refusalOf(await client.redeem(code, { grant_type: type }))).toEqual([400, 'unsupported_grant_type'])
    const tokens = tokensIn(await client.redeem(code))
    expect(refusalOf(await client.redeem(code, { grant_type: type }))).toEqual([400, 'unsupported_grant_type'])
    expect(await useOf(tokens)).toEqual(good)
    await client.redeem(code)
    expect(await useOf(tokens)).toEqual(over)
  })

  test('after an hour ends nothing', async () => {
    const code = await codeFor(await service.createSignedIn())
    const tokens = tokensIn(await client.redeem(code))
    await db
      .updateTable('oauth_redeemed_code')
      .set({ redeemed_at: new Date(Date.now() - 3_601_000) })
      .execute()
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
    expect(await useOf(tokens)).toEqual(good)
    expect((await client.refresh(tokens.refresh_token)).status).toBe(200)
  })

  test.each([0, 1, 31])('after %i seconds ends all that was given for it', async (seconds) => {
    const code = await codeFor(await service.createSignedIn())
    const first = tokensIn(await client.redeem(code))
    expect(await useOf(first)).toEqual(good)
    const second = tokensIn(await client.refresh(first.refresh_token))
    await db
      .updateTable('oauth_redeemed_code')
      .set({ redeemed_at: new Date(Date.now() - seconds * 1_000) })
      .execute()

    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
    expect(await useOf({ ...first, refresh_token: second.refresh_token })).toEqual(over)
    expect(await useOf(second)).toEqual(over)
    expect(refusalOf(await client.refresh(second.refresh_token))).toEqual([400, 'invalid_grant'])
  })

  test('ends nothing of another grant', async () => {
    const spared = await client.tokensFor(await service.createSignedIn())
    const code = await codeFor(await service.createSignedIn())
    tokensIn(await client.redeem(code))
    await client.redeem(code)
    expect(await useOf(spared)).toEqual(good)
  })

  test('ends an opaque token, too', async () => {
    const code = await client.codeFor(createVisitor(service, (await service.createSignedIn()).cookie), {
      scope: 'openid',
    })
    const { access_token } = tokensIn(await client.redeem(code))
    expect((await userInfo(service, access_token)).status).toBe(200)
    await client.redeem(code)
    expect((await userInfo(service, access_token)).status).toBe(401)
  })
})

test('P-10 a code and a refresh token that were used stay dead when the service starts again', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.remove())
  const before = await startService({ database })
  const registered = await registerClient(before)
  const app = createBareClient(before, registered)
  const user = await before.createSignedIn()
  const code = await app.codeFor(createVisitor(before, user.cookie))
  const first = tokensIn(await app.redeem(code))
  const another = await app.tokensFor(await before.createSignedIn())
  const rotated = tokensIn(await app.refresh(another.refresh_token))
  await before.stop()

  // At the same address: a token names it.
  const after = await startService({ database, env: { PORT: '0', BETTER_AUTH_URL: before.baseUrl } })
  onTestFinished(() => after.stop())
  const same = createBareClient(after, registered)
  const me = async (token: string) => (await after.request('/api/v1/auth/me', { token })).status

  expect([await me(first.access_token), await me(rotated.access_token)]).toEqual([200, 200])
  expect(refusalOf(await same.redeem(code))).toEqual([400, 'invalid_grant'])
  expect(refusalOf(await same.refresh(another.refresh_token))).toEqual([400, 'invalid_grant'])
  expect([await me(first.access_token), await me(rotated.access_token)]).toEqual([401, 401])
  expect(refusalOf(await same.refresh(first.refresh_token))).toEqual([400, 'invalid_grant'])
  expect(refusalOf(await same.refresh(rotated.refresh_token))).toEqual([400, 'invalid_grant'])
})
