import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Db } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import { type Claims, decodeJwt, type JwtHeader } from './jwt.ts'
import { findPublicKeys, type PublicKeyRow } from './keys/signing-keys.queries.ts'

interface VerifierOptions {
  issuer: string
  audience: string
  /** How long a key verifies after its end. */
  graceMs: number
  /** Tokens of a trusted front end, signed with a secret we share. */
  shared: { secret: string; issuer: string } | undefined
}

/** The claims of a good token: of a session, of a trusted front end, or what a client was given by the OAuth provider. */
export type AccessToken =
  | { kind: 'session'; claims: Claims & { sid: string } }
  | { kind: 'shared'; claims: Claims }
  | { kind: 'oauth'; claims: OAuthClaims }

/** @see RFC 9068 section 2.2 */
export type OAuthClaims = Claims & { client_id: string; jti: string; scope: string }

/**
 * Checks that a token was signed by us for `/api/v1` and is in its time. Whether its session still lives is not asked.
 * @throws ProblemError `invalid-token` or `token-expired`
 */
export type VerifyAccessToken = (token: string) => Promise<AccessToken>

const clockToleranceSeconds = 5
const maxKeySetAgeMs = 5_000

/**
 * The verifier of session JWTs and of access tokens of clients, by the keys in the `jwks` table, and of shared-secret
 * tokens where they are configured.
 * A key pins its algorithm: a token's header chooses neither a weaker one nor, with a `kid`, the shared secret.
 * @see RFC 7519 section 7.2, RFC 8725
 */
export function createAccessTokenVerifier(db: Db, options: VerifierOptions): VerifyAccessToken {
  const { audience } = options
  const userInfo = `${options.issuer}/oauth2/userinfo`
  const keySet = createKeySet(db, options.graceMs)
  const sharedKey = options.shared && new TextEncoder().encode(options.shared.secret)

  async function verifyShared(token: string): Promise<void> {
    if (!options.shared || !sharedKey) throw new ProblemError('invalid-token')
    const { issuer } = options.shared
    await jwtVerify(token, sharedKey, {
      issuer,
      audience,
      algorithms: ['HS256'],
      clockTolerance: clockToleranceSeconds,
    })
  }

  async function verifySigned(token: string, kid: string): Promise<void> {
    const key = (await keySet()).get(kid)
    if (!key) throw new ProblemError('invalid-token')
    await jwtVerify(token, key.resolve, {
      issuer: options.issuer,
      audience,
      algorithms: [key.alg],
      clockTolerance: clockToleranceSeconds,
    })
  }

  return async (token) => {
    const decoded = decodeJwt(token)
    if (!decoded) throw new ProblemError('invalid-token')
    const { header, claims } = decoded
    try {
      if (header.kid === undefined) await verifyShared(token)
      else await verifySigned(token, header.kid)
    } catch (error) {
      throw tokenProblem(error)
    }
    const kind = kindOf(header, claims)
    const isForUs = kind === 'oauth' ? isAudience(claims.aud, [audience, userInfo]) : claims.aud === audience
    if (!kind || !isForUs || claims.iat > nowSeconds() + clockToleranceSeconds) throw new ProblemError('invalid-token')
    return { kind, claims } as AccessToken
  }
}

/** Which kind of token it is, told apart by what only that kind has; undefined for any other, such as an ID token. */
function kindOf({ kid, typ }: JwtHeader, { sid, client_id, jti, scope }: Claims): AccessToken['kind'] | undefined {
  if (kid === undefined) return sid === undefined && (typ ?? 'JWT') === 'JWT' ? 'shared' : undefined
  if (typ === 'at+jwt') return client_id && jti && scope !== undefined ? 'oauth' : undefined
  return typ === undefined && client_id === undefined && sid !== undefined ? 'session' : undefined
}

// Exact: a list that merely contains us is of a token for somebody else as well. One for us may also ask who signed in.
function isAudience(aud: string | string[], [api, userInfo]: [string, string]): boolean {
  const audiences = [aud].flat()
  return audiences.includes(api) && audiences.every((name) => name === api || name === userInfo)
}

function tokenProblem(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new ProblemError('token-expired')
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return new ProblemError('invalid-token', undefined, { cause: error })
  }
  return error
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

interface VerificationKey {
  alg: string
  resolve: JWTVerifyGetKey
}

/** The public keys by `kid`, read again when they are five seconds old and no sooner, whatever tokens ask for. */
function createKeySet(db: Db, graceMs: number): () => Promise<ReadonlyMap<string, VerificationKey>> {
  let keys: Promise<ReadonlyMap<string, VerificationKey>> | undefined
  let loadedAt = Number.NEGATIVE_INFINITY
  async function load() {
    const rows = await findPublicKeys(db, new Date(Date.now() - graceMs))
    return new Map(rows.map((row) => [row.id, toVerificationKey(row)]))
  }
  return () => {
    const now = performance.now()
    if (!keys || now - loadedAt >= maxKeySetAgeMs) {
      loadedAt = now
      const loading = load()
      keys = loading
      loading.catch(() => {
        if (keys === loading) keys = undefined
      })
    }
    return keys
  }
}

function toVerificationKey({ id, alg, public_key }: PublicKeyRow): VerificationKey {
  const key = { ...(JSON.parse(public_key) as JWK), kid: id, alg: alg ?? 'EdDSA' }
  // Imports the key once, on its first use.
  return { alg: key.alg, resolve: createLocalJWKSet({ keys: [key] }) }
}
