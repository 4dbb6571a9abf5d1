import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { openKey } from '../../src/auth/keys/mint-key.ts'
import { type SignedIn, secret, type TestService } from './harness.ts'

/** A key that signs, and the `kid` under which its public half is known. */
export interface SigningKey {
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
}

export type Members = Record<string, unknown>

/** The key with which the service signs now. */
export async function signingKeyOf({ services }: TestService): Promise<SigningKey> {
  const key = await services.keys.current()
  if (!key) throw new Error('the service has no signing key')
  const privateKey = await openKey(secret, key.row)
  return { kid: key.row.id, privateKey, publicKey: createPublicKey(privateKey) }
}

/** A key of somebody else's that claims to be ours. */
export function attackerKey(kid: string): SigningKey {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) }
}

/** What the service puts into a session JWT of this user; undefined removes a claim. */
export function sessionClaims({ baseUrl }: TestService, user: SignedIn, changes: Members = {}): Members {
  const now = nowSeconds()
  return {
    iss: `${baseUrl}/api/auth`,
    aud: `${baseUrl}/api/v1`,
    sub: user.id,
    sid: user.sessionId,
    iat: now,
    exp: now + 900,
    ...changes,
  }
}

/** A JWT signed with an RSA key; header members may be added, or removed with undefined. */
export function rs256({ kid, privateKey }: SigningKey, claims: Members | string, header: Members = {}): string {
  return jws({ alg: 'RS256', kid, ...header }, claims, (input) => sign('sha256', Buffer.from(input), privateKey))
}

/** A JWT signed with a shared secret. */
export function hs256(key: string, claims: Members | string, header: Members = {}): string {
  return jws({ alg: 'HS256', ...header }, claims, (input) => createHmac('sha256', key).update(input).digest())
}

/** A compact JWS of any header and payload; text is taken as it is. */
export function jws(
  header: Members | string,
  payload: Members | string,
  signature: (input: string) => Uint8Array,
): string {
  const input = `${segment(header)}.${segment(payload)}`
  return `${input}.${Buffer.from(signature(input)).toString('base64url')}`
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

function segment(value: Members | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** Tokens that must not open anything, each by its fault and the type of the problem. */
export function forgedTokens(
  service: TestService,
  user: SignedIn,
  key: SigningKey,
): [fault: string, token: string, type: string][] {
  const claims = (changes: Members = {}) => sessionClaims(service, user, changes)
  const { kid, publicKey } = key
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }))
  const now = nowSeconds()
  const unsigned = (alg: string) => jws({ alg, kid }, claims(), () => Buffer.alloc(0))
  const faults: [string, string, string?][] = [
    ['a garbage token', 'garbage'],
    ['an expired token', rs256(key, claims({ iat: now - 120, exp: now - 60 })), 'token-expired'],
    ['a token from the future', rs256(key, claims({ iat: now + 600, exp: now + 900 }))],
    ['a token that is not valid yet', rs256(key, claims({ nbf: now + 600 }))],
    ['a token for another audience', rs256(key, claims({ aud: `${service.baseUrl}/api/v2` }))],
    [
      'a token for us and another audience',
      rs256(key, claims({ aud: [`${service.baseUrl}/api/v1`, 'https://x.test'] })),
    ],
    ['a token of another issuer', rs256(key, claims({ iss: 'https://issuer.example/api/auth' }))],
    ['a token of the issuer with a slash', rs256(key, claims({ iss: `${service.baseUrl}/api/auth/` }))],
    ['an ID token', rs256(key, claims({ aud: 'a-client', sid: undefined }), { typ: 'JWT' })],
    ["a token signed by somebody else with our key's id", rs256(attackerKey(kid), claims())],
    ['a token signed by a key in its own header', embedded(attackerKey(kid), claims())],
    ['a token with alg none', unsigned('none')],
    ['a token with alg NONE', unsigned('NONE')],
    ['a token with alg none and a signature', jws({ alg: 'none', kid }, claims(), () => Buffer.from('none'))],
    ['a token whose signature was removed', `${user.token.slice(0, user.token.lastIndexOf('.'))}.`],
    ['HS256 with our public key as PEM', hs256(pem, claims(), { kid })],
    ['HS256 with our public key as PEM, without kid', hs256(pem, claims({ sid: undefined }))],
    ['HS256 with our public key as JWK', hs256(jwk, claims(), { kid })],
    ['HS256 with an empty secret', hs256('', claims({ sid: undefined }))],
    ['a token without kid', rs256(key, claims(), { kid: undefined })],
    ['a token of an unknown kid', rs256(key, claims(), { kid: 'unknown' })],
    ['a token whose kid is SQL', rs256(key, claims(), { kid: "' or '1'='1" })],
    ['a token whose kid is not text', rs256(key, claims(), { kid: 7 })],
    ['a token with a critical extension', rs256(key, claims(), { crit: ['exp'] })],
    ['a token of typ at+jwt', rs256(key, claims(), { typ: 'at+jwt' })],
    ['a token with a client_id that is no access token', rs256(key, claims({ client_id: 'a-client' }))],
    ...['sub', 'sid', 'iat', 'exp', 'iss', 'aud'].map((claim): [string, string] => [
      `a token without ${claim}`,
      rs256(key, claims({ [claim]: undefined })),
    ]),
    ['a token whose exp is text', rs256(key, claims({ exp: String(now + 900) }))],
    ['a token whose payload is no object', rs256(key, '"text"')],
  ]
  return faults.map(([fault, token, type]) => [fault, token, type ?? 'invalid-token'])
}

function embedded(key: SigningKey, claims: Members): string {
  return rs256(key, claims, { jwk: key.publicKey.export({ format: 'jwk' }) })
}
