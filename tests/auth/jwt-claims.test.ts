import { verify as cryptoVerify, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { createAccessTokenVerifier } from '../../src/auth/access-token.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import { isSignatureOf, signText } from '../../src/auth/keys/signature.ts'
import { maxJwtTtlSeconds } from '../../src/config.ts'
import { startServiceForFile } from '../support/harness.ts'
import { insertKey, jws, type Members } from '../support/tokens.ts'

// What RFC 7519 asks of a token, rule by rule: at which second and with which value it begins and ceases to be good.

const { db } = await startServiceForFile()
const issuer = 'https://auth.example/api/auth'
const audience = 'https://auth.example/api/v1'
const verify = createAccessTokenVerifier(
  createKeyRows(db, () => true),
  { issuer, audience, graceMs: 1_000, shared: undefined },
)
const now = Math.floor(Date.now() / 1_000)

afterEach(() => vi.restoreAllMocks())

const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
}
type Algorithm = keyof typeof pairs
for (const alg of Object.keys(pairs) as Algorithm[]) await insertKey(db, { kid: alg, ...pairs[alg] }, { alg })
await insertKey(db, { kid: 'another', ...pairs.ES256 }, { alg: 'ES256' })

function signature(alg: Algorithm, input: string, privateKey: KeyObject = pairs[alg].privateKey): Buffer {
  const dsaEncoding = 'ieee-p1363'
  const made = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), { key: privateKey, dsaEncoding })
  return alg === 'ES256' ? ([made, twinOf(made)].toSorted(byS)[0] ?? made) : made
}

const byS = (one: Buffer, other: Buffer) => one.compare(other, 32, 64, 32, 64)

/** The other signature of the same text that whoever has one can write. */
function twinOf(signature: Buffer): Buffer {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const s = (order - BigInt(`0x${signature.toString('hex', 32)}`)).toString(16).padStart(64, '0')
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s, 'hex')])
}

function token(changes: Members = {}, alg: Algorithm = 'ES256', header: Members = {}): string {
  const claims = { iss: issuer, aud: audience, sub: 'ada', sid: 's', iat: now, exp: now + 900, ...changes }
  return jws({ alg, kid: alg, ...header }, claims, (input) => signature(alg, input))
}

async function verdict(text: string): Promise<unknown> {
  try {
    return (await verify(text)).kind
  } catch (error) {
    return (error as { slug?: string }).slug
  }
}

const oauth = { sid: undefined, client_id: 'c', jti: 'j', scope: '' }
const userInfo = `${issuer}/oauth2/userinfo`

test.each<[string, Members, unknown]>([
  ['iss is another (4.1.1)', { iss: `${issuer}/` }, 'invalid-token'],
  ['iss is a list (4.1.1)', { iss: [issuer] }, 'invalid-token'],
  ['aud is another (4.1.3)', { aud: `${audience}/` }, 'invalid-token'],
  ['aud is an empty list (4.1.3)', { aud: [] }, 'invalid-token'],
  ['aud is a list of ours alone, in a session JWT', { aud: [audience] }, 'invalid-token'],
  ['aud has a member that is no text (4.1.3)', { aud: [audience, 7] }, 'invalid-token'],
  ['exp was five seconds ago (4.1.4)', { exp: now - 5 }, 'token-expired'],
  ['exp was four seconds ago (4.1.4)', { exp: now - 4 }, 'session'],
  ['exp is a fraction (2)', { exp: now + 900.5 }, 'invalid-token'],
  ['nbf is in six seconds (4.1.5)', { nbf: now + 6 }, 'invalid-token'],
  ['nbf is in five seconds (4.1.5)', { nbf: now + 5 }, 'session'],
  ['nbf is text (4.1.5)', { nbf: '0' }, 'invalid-token'],
  ['nbf is to come and exp has passed', { nbf: now + 60, exp: now - 60 }, 'invalid-token'],
  ['iat is in six seconds (4.1.6)', { iat: now + 6 }, 'invalid-token'],
  ['iat is in five seconds (4.1.6)', { iat: now + 5 }, 'session'],
  ['it lives for the longest time', { exp: now + maxJwtTtlSeconds }, 'session'],
  ['it lives for a second more', { exp: now + maxJwtTtlSeconds + 1 }, 'invalid-token'],
  ['it has ended and is of another issuer', { exp: now - 60, iss: 'x' }, 'invalid-token'],
  ['it has ended and is for another audience', { exp: now - 60, aud: 'x' }, 'invalid-token'],
  ['it has ended and names no session', { exp: now - 60, sid: undefined }, 'token-expired'],
])('where %s', async (_, changes, expected) => {
  vi.spyOn(Date, 'now').mockReturnValue(now * 1_000)

  expect(await verdict(token(changes))).toBe(expected)
})

test('a token may have 8,192 characters, and not one more', async () => {
  const lengths = Array.from({ length: 30 }, (_, n) => 5_900 + n)
  // With an id of five letters none would have that very length: base64 has no group of one letter.
  const tokens = lengths.map((length) => token({ pad: 'x'.repeat(length) }, 'ES256', { kid: 'another' }))
  const of = (length: number) => tokens.find((text) => text.length === length) ?? ''

  expect([await verdict(of(8_192)), await verdict(of(8_193))]).toEqual(['session', 'invalid-token'])
})

test.each<[string, Members, Members, unknown]>([
  ['a session JWT', {}, {}, 'session'],
  ['a session JWT without a session', { sid: undefined }, {}, 'invalid-token'],
  ['a session JWT of a client', { client_id: 'c' }, {}, 'invalid-token'],
  ['a session JWT with a type', {}, { typ: 'JWT' }, 'invalid-token'],
  ['an access token', oauth, { typ: 'at+jwt' }, 'oauth'],
  ['an access token with a session', { ...oauth, sid: 's' }, { typ: 'at+jwt' }, 'oauth'],
  ['an access token without a client', { ...oauth, client_id: undefined }, { typ: 'at+jwt' }, 'invalid-token'],
  ['an access token without an id', { ...oauth, jti: undefined }, { typ: 'at+jwt' }, 'invalid-token'],
  ['an access token with an empty id', { ...oauth, jti: '' }, { typ: 'at+jwt' }, 'invalid-token'],
  ['an access token without scopes', { ...oauth, scope: undefined }, { typ: 'at+jwt' }, 'invalid-token'],
  ['an access token without its type', oauth, {}, 'invalid-token'],
])('%s is known by what only its kind has', async (_, changes, header, expected) => {
  expect(await verdict(token(changes, 'ES256', header))).toBe(expected)
})

test.each<[string, unknown, unknown]>([
  ['of ours', audience, 'oauth'],
  ['of ours in a list', [audience], 'oauth'],
  ['of ours and of who signed in', [audience, userInfo], 'oauth'],
  ['of who signed in alone', [userInfo], 'invalid-token'],
  ['of ours and another', [audience, 'https://x.test'], 'invalid-token'],
])('an access token with an audience %s', async (_, aud, expected) => {
  expect(await verdict(token({ ...oauth, aud }, 'ES256', { typ: 'at+jwt' }))).toBe(expected)
})

test.each(Object.keys(pairs) as Algorithm[])('a signature with %s is checked to its last bit', async (alg) => {
  const good = token({}, alg)
  const at = good.lastIndexOf('.') + 1
  const bytes = Buffer.from(good.slice(at), 'base64url')
  const withBytes = (changed: Buffer) => verdict(good.slice(0, at) + changed.toString('base64url'))
  expect(await verdict(good)).toBe('session')

  for (const index of [0, bytes.length >> 1, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ 1
    expect(await withBytes(changed)).toBe('invalid-token')
  }
  expect(await withBytes(bytes.subarray(0, -1))).toBe('invalid-token')
  expect(await withBytes(Buffer.concat([bytes, Buffer.from([0])]))).toBe('invalid-token')
  expect(await withBytes(Buffer.alloc(bytes.length))).toBe('invalid-token')
})

test('of the two ES256 signatures that a key can make of a text only the lower is ours', () => {
  const { privateKey, publicKey } = pairs.ES256
  for (let n = 0; n < 20; n++) {
    const made = signText('ES256', privateKey, `text ${n}`)
    const twin = twinOf(made)
    expect(byS(made, twin)).toBe(-1)
    expect(cryptoVerify('sha256', Buffer.from(`text ${n}`), { key: publicKey, dsaEncoding: 'ieee-p1363' }, twin)).toBe(
      true,
    )
    expect(isSignatureOf('ES256', publicKey, `text ${n}`, made)).toBe(true)
    expect(isSignatureOf('ES256', publicKey, `text ${n}`, twin)).toBe(false)
  }
})

test('an ES256 signature in DER is refused', async () => {
  const { privateKey } = pairs.ES256
  const claims = { iss: issuer, aud: audience, sub: 'ada', sid: 's', iat: now, exp: now + 900 }
  const der = jws({ alg: 'ES256', kid: 'ES256' }, claims, (input) => sign('sha256', Buffer.from(input), privateKey))

  expect(await verdict(der)).toBe('invalid-token')
})

test.each<[string, () => { publicKey: KeyObject; privateKey: KeyObject }, Algorithm]>([
  ['an RSA key of 1,024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1_024 }), 'RS256'],
  ['a key on another curve', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), 'ES256'],
  ['a key of another kind', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'RS256'],
  ['a key of Ed448', () => generateKeyPairSync('ed448'), 'EdDSA'],
])('a row with %s verifies nothing', async (_, generate, alg) => {
  const { publicKey, privateKey } = generate()
  const kid = randomUUID()
  await insertKey(db, { kid, publicKey }, { alg })
  const fresh = createAccessTokenVerifier(
    createKeyRows(db, () => true),
    { issuer, audience, graceMs: 1_000, shared: undefined },
  )
  const claims = { iss: issuer, aud: audience, sub: 'ada', sid: 's', iat: now, exp: now + 900 }
  const text = jws({ alg, kid }, claims, (input) =>
    signature(publicKey.asymmetricKeyType === 'ec' ? 'ES256' : alg, input, privateKey),
  )

  await expect(fresh(text)).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('a row that is no key leaves the others as they are', async () => {
  await db
    .insertInto('jwks')
    .values({ id: randomUUID(), public_key: '{', private_key: '', created_at: new Date() })
    .execute()
  const fresh = createAccessTokenVerifier(
    createKeyRows(db, () => true),
    { issuer, audience, graceMs: 1_000, shared: undefined },
  )

  expect(await fresh(token())).toMatchObject({ kind: 'session' })
})
