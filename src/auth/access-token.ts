import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { maxJwtTtlSeconds } from '../config.ts'
import { ProblemError } from '../http/problem.ts'
import { type Claims, type DecodedJwt, decodeJwt, type JwtHeader } from './jwt.ts'
import { isBetween, isIssued, isLongLived, timeFault } from './jwt-claims.ts'
import type { Key, KeyRows, KeySet } from './keys/key-rows.ts'
import { isSignatureOf } from './keys/signature.ts'
import { onceKnown } from './once-known.ts'

interface VerifierOptions {
  issuer: string
  audience: string
  /** How long a key verifies after its end. */
  graceMs: number
  /** Tokens of a trusted front end, signed with a secret we share. */
  shared: { secret: string; issuer: string } | undefined
  /** The clock by which tokens are judged, in milliseconds since the epoch; that of this machine when left out. */
  now?: () => number
}

/**
 * The claims of a good token: of a session, of a trusted front end, or what a client was given by the OAuth provider.
 * They are frozen: who presents the token again gets the same object.
 */
export type AccessToken =
  | { kind: 'session'; claims: Claims & { sid: string } }
  | { kind: 'shared'; claims: Claims }
  | { kind: 'oauth'; claims: OAuthClaims }

/** @see RFC 9068 section 2.2 */
export type OAuthClaims = Claims & { client_id: string; jti: string; scope: string }

/**
 * Checks that a token was signed by us for `/api/v1` and is in its time. Whether its session still lives is not asked.
 * The answer is there at once unless the keys have to be read.
 * @throws ProblemError `invalid-token` or `token-expired`
 */
export type VerifyAccessToken = (token: string) => AccessToken | Promise<AccessToken>

/** A token that was found good, and the key whose signature it bears; undefined for the shared secret. */
interface Verified {
  text: string
  token: AccessToken
  key: Key | undefined
}

// Whoever holds the secret of a front end, or one of our keys, makes no token that stays for good.
const maxLifeSeconds = { session: maxJwtTtlSeconds, oauth: maxJwtTtlSeconds, shared: 86_400 }

const maxVerified = 50_000
const maxVerifiedBytes = 32 * 1_024 * 1_024
// What an entry takes beside the characters of its token: the claims, and its place in the cache.
const entryBytes = 512

/**
 * The verifier of session JWTs and of access tokens of clients, by the keys in the `jwks` table, and of shared-secret
 * tokens where they are configured.
 * A key pins its algorithm: a token's header chooses neither a weaker one nor, with a `kid`, the shared secret.
 * What was found good is remembered by its exact text, but for its time and its key, which are asked for each time.
 * @see RFC 7519 section 7.2, RFC 8725
 */
export function createAccessTokenVerifier(keyRows: KeyRows, options: VerifierOptions): VerifyAccessToken {
  const { issuer, audience, graceMs, shared, now = () => Date.now() } = options
  const audiences: [string, string] = [audience, `${issuer}/oauth2/userinfo`]
  const frontEnd = shared && { issuer: shared.issuer, key: createSecretKey(shared.secret, 'utf8') }
  const verified = new LRUCache<string, Verified>({
    max: maxVerified,
    maxSize: maxVerifiedBytes,
    sizeCalculation: ({ text }) => text.length + entryBytes,
  })

  function verifyShared(text: string, decoded: DecodedJwt): AccessToken {
    if (!frontEnd || !hasTag(decoded, frontEnd.key)) throw new ProblemError('invalid-token')
    return admit(text, decoded, { issuer: frontEnd.issuer, key: undefined })
  }

  function verifySigned(text: string, decoded: DecodedJwt, key: Key | undefined): AccessToken {
    if (!key || !isAccepted(key) || !hasSignature(decoded, key)) throw new ProblemError('invalid-token')
    return admit(text, decoded, { issuer, key })
  }

  function isAccepted({ endsAt }: Key): boolean {
    return endsAt + graceMs > now()
  }

  /** Judges the claims of a token whose signature is good. */
  function admit(text: string, { header, claims }: DecodedJwt, by: { issuer: string; key: Key | undefined }) {
    if (!isBetween(claims, { issuer: by.issuer, audience })) throw new ProblemError('invalid-token')
    const fault = timeFault(claims, now())
    if (fault) throw new ProblemError(fault)
    const kind = kindOf(header, claims)
    const isForUs = kind === 'oauth' ? isAudience(claims.aud, audiences) : claims.aud === audience
    if (!kind || !isForUs || !isIssued(claims, now())) throw new ProblemError('invalid-token')
    if (isLongLived(claims, maxLifeSeconds[kind])) throw new ProblemError('invalid-token')
    const token = frozen({ kind, claims } as AccessToken)
    verified.set(endOf(text), { text, token, key: by.key })
    return token
  }

  function verifyNew(text: string): AccessToken | Promise<AccessToken> {
    const decoded = decodeJwt(text)
    if (!decoded) throw new ProblemError('invalid-token')
    const { kid } = decoded.header
    if (kid === undefined) return verifyShared(text, decoded)
    return onceKnown(keyRows.read(), (keys) => verifySigned(text, decoded, keys.get(kid)))
  }

  /** What was found good before, if its time and its key still let it; else it is judged anew. */
  function recall(text: string, { token, key }: Verified, keys: KeySet | undefined) {
    const hasKey = !key || (keys?.get(key.row.id) === key && isAccepted(key))
    if (hasKey && !timeFault(token.claims, now()) && isIssued(token.claims, now())) return token
    verified.delete(endOf(text))
    return verifyNew(text)
  }

  return (text) => {
    const known = verified.get(endOf(text))
    if (known?.text !== text) return verifyNew(text)
    return known.key ? onceKnown(keyRows.read(), (keys) => recall(text, known, keys)) : recall(text, known, undefined)
  }
}

// So much is hashed for a look-up, and not all of the token, which is compared: of a signature, no two of which end alike.
function endOf(text: string): string {
  return text.slice(-43)
}

/** Whether the signature is of the key, by the algorithm that it was made for. */
function hasSignature({ header, signingInput, signature }: DecodedJwt, { verification }: Key): boolean {
  if (!verification || header.alg !== verification.algorithm) return false
  return isSignatureOf(verification.algorithm, verification.publicKey, signingInput, signature)
}

/** Whether a token was authenticated with the secret. @see RFC 7518 section 3.2 */
function hasTag({ header, signingInput, signature }: DecodedJwt, secret: KeyObject): boolean {
  if (header.alg !== 'HS256') return false
  const tag = createHmac('sha256', secret).update(signingInput).digest()
  return tag.length === signature.length && timingSafeEqual(tag, signature)
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

function frozen(token: AccessToken): AccessToken {
  Object.freeze(token.claims.aud)
  Object.freeze(token.claims)
  return Object.freeze(token)
}
