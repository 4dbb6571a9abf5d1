import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { Insertable } from 'kysely'
import { openKey } from '../../src/auth/keys/mint-key.ts'
import { type JwtAlgorithm, signText } from '../../src/auth/keys/signature.ts'
import type { Db } from '../../src/db/database.ts'
import type { DB } from '../../src/db/schema.ts'
import { type SignedIn, secret, type TestService } from './harness.ts'

/** A key that signs, its algorithm, and the `kid` under which its public half is known. */
export interface SigningKey {
  kid: string
  alg: JwtAlgorithm
  privateKey: KeyObject
  publicKey: KeyObject
}

export type Members = Record<string, unknown>

const sharedSecret = randomBytes(32).toString('base64url')
const sharedIssuer = 'https://front-end.example'

/** A trusted front end, whose tokens are taken by a service that is started with its `env`. */
export const frontEnd = {
  secret: sharedSecret,
  issuer: sharedIssuer,
  env: { JWT_SHARED_SECRET: sharedSecret, JWT_SHARED_ISSUER: sharedIssuer },
}

/** The key with which the service signs now. */
export async function signingKeyOf({ services }: TestService): Promise<SigningKey> {
  const key = await services.keys.current()
  if (!key?.verification) throw new Error('the service has no signing key')
  const privateKey = await openKey([secret], key.row)
  return { kid: key.row.id, alg: key.verification.algorithm, privateKey, publicKey: createPublicKey(privateKey) }
}

/** A key of somebody else's that claims to be ours. */
export function attackerKey(kid: string, alg: JwtAlgorithm = 'RS256'): SigningKey {
  return { kid, alg, ...generators[alg]() }
}

/** Publishes the public half of a key, as one of RS256 that signs now and for ever where `values` say nothing else. */
export async function insertKey(
  db: Db,
  { kid, publicKey }: Pick<SigningKey, 'kid' | 'publicKey'>,
  values: Partial<Insertable<DB['jwks']>> = {},
): Promise<void> {
  const public_key = JSON.stringify(publicKey.export({ format: 'jwk' }))
  const row = { id: kid, public_key, private_key: '', created_at: new Date(), alg: 'RS256', ...values }
  await db.insertInto('jwks').values(row).execute()
}

const generators = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
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

/** A JWT signed with a key of a pair; header members may be added, or removed with undefined. */
export function signed(
  { kid, alg, privateKey }: SigningKey,
  claims: Members | string | Buffer,
  header: Members = {},
): string {
  return jws({ alg, kid, ...header }, claims, (input) => signText(alg, privateKey, input))
}

/** A JWT signed with a shared secret. */
export function hs256(key: string | Buffer, claims: Members | string, header: Members = {}): string {
  return jws({ alg: 'HS256', ...header }, claims, (input) => createHmac('sha256', key).update(input).digest())
}

/** A compact JWS of any header and payload; text and bytes are taken as they are. */
export function jws(
  header: Members | string,
  payload: Members | string | Buffer,
  signature: (input: string) => Uint8Array,
): string {
  const input = `${segment(header)}.${segment(payload)}`
  return `${input}.${Buffer.from(signature(input)).toString('base64url')}`
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

function segment(value: Members | string | Buffer): string {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return bytes.toString('base64url')
}
