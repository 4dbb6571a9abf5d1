import { APIError, isAPIError } from 'better-auth/api'
import { noteAudit } from '../../db/audit-context.ts'
import type { Db, Tx } from '../../db/database.ts'
import { ProblemError } from '../../http/problem.ts'
import { type CallEndpoint, type EndpointContext, wrapEndpoint } from '../endpoint.ts'
import { decodeJwt } from '../jwt.ts'
import type { Authenticate, Authenticated, Principal } from '../principal.ts'
import { clientOf, credentialsIn } from './client.ts'
import {
  endAccessTokens,
  endTokensOfFamily,
  holdAccessToken,
  holdClient,
  holdRefreshToken,
  revokeToken,
} from './oauth.queries.ts'
import { apiScopesOf } from './scopes.ts'
import { hashSecret } from './secret.ts'
import { noteEnded } from './token-events.ts'
import { asChallenge, errorCode, keepingRefusals } from './transaction.ts'

type Parameters = Record<string, unknown>

// What stands for a token that is over: whose it was the provider is not to tell, nor to stumble over it.
const nobodys = 'over'

/**
 * Introspection. A token that `/api/v1` refuses is not active, and of its scopes those count that it has there now.
 * Others than its client are told nothing.
 * @see RFC 7662 section 2.2
 */
export function guardIntrospection<E>(endpoint: E, authenticate: Authenticate): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const token = tokenIn(context)
    const standing = await standingOf(token, authenticate)
    const answer = (await callFor(call, context, standing === 'opaque' ? token : nobodys)) as object
    if (typeof standing === 'string') return answer
    const isOwn = standing.principal.clientId === clientOf(context)
    return { ...answer, response: isOwn ? toIntrospection(token, standing.principal) : { active: false } }
  })
}

function toIntrospection(token: string, { permissions }: Principal): Parameters {
  const { scope = '', ...claims } = decodeJwt(token)?.claims ?? {}
  const lost = apiScopesOf(scope).filter((name) => !permissions.has(name))
  const kept = scope.split(' ').filter((name) => !lost.some((other) => other === name))
  return { active: true, token_type: 'Bearer', ...claims, scope: kept.join(' ') }
}

/**
 * User information: a token that `/api/v1` refuses is refused, and every refusal says how to ask. Of a JWT it is answered
 * here, as the provider would judge its time by the clock of this machine.
 * @see OpenID Connect Core 1.0 section 5.3.3, RFC 6750 section 3
 */
export function guardUserInfo<E>(endpoint: E, authenticate: Authenticate): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const authorization = context.headers?.get('authorization')
    const inBody = textOf(context.body, 'access_token')
    const token = authorization?.replace(/^\S+ +/, '') ?? inBody
    if (token === '') throw challenge('UNAUTHORIZED', undefined, 'an access token is needed')
    if (authorization && inBody) throw challenge('BAD_REQUEST', 'invalid_request', 'there are two access tokens')
    const isBearer = !authorization || /^bearer +/i.test(authorization)
    const standing = isBearer ? await standingOf(token, authenticate) : 'ended'
    if (standing === 'ended') throw noGoodToken()
    if (standing !== 'opaque') return { response: toUserInfo(token, standing), headers: new Headers(), status: 200 }
    try {
      return await call(context)
    } catch (error) {
      if (!isAPIError(error) || error.statusCode >= 500) throw error
      throw errorCode(error) === 'invalid_scope' ? needsOpenid() : noGoodToken()
    }
  })
}

/** Who signed in, by the scopes of their access token. @see OpenID Connect Core 1.0 sections 5.1 and 5.4 */
function toUserInfo(token: string, { user }: Authenticated): Parameters {
  const scopes = decodeJwt(token)?.claims.scope?.split(' ') ?? []
  if (!scopes.includes('openid')) throw needsOpenid()
  if (!user) throw noGoodToken()
  const { id: sub, name, image, email, email_verified } = user
  const names = name.split(' ').filter(Boolean)
  const profile = {
    name,
    ...(image !== null && { picture: image }),
    ...(names.length > 1 && { given_name: names.slice(0, -1).join(' '), family_name: names.at(-1) }),
  }
  return {
    sub,
    ...(scopes.includes('profile') && profile),
    ...(scopes.includes('email') && { email, email_verified }),
  }
}

/**
 * Revocation: of a token that is unknown there is nothing left to do, an access token is ended, though it needs no row
 * to be good, and with a refresh token go the access tokens of its grant.
 * @see RFC 7009 section 2
 */
export function guardRevocation<E>(endpoint: E, { db, authenticate }: { db: Db; authenticate: Authenticate }): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const token = tokenIn(context)
    const standing = await standingOf(token, authenticate)
    const known = standing === 'opaque' ? token : nobodys
    const given = credentialsIn(context)
    const client = given?.id
    // Nothing is kept of a client that does not prove itself.
    if (given) noteAudit({ actorType: 'client', actorId: given.id, proves: given.method === 'none' })
    try {
      return await keepingRefusals(db, context, async (trx) => {
        await holdClient(trx, client)
        const { answer, userId, end } = await revoke(trx, () => callFor(call, context, known), known, client)
        const principal = typeof standing === 'string' ? undefined : standing.principal
        const own = principal?.clientId === client ? principal : undefined
        if (own) await revokeJwt(trx, token)
        const what = own ? 'token.revoked' : end
        if (what) await noteEnded(trx, what, client, own?.kind === 'user' ? own.subject : userId)
        return answer
      })
    } catch (error) {
      throw asChallenge(error)
    }
  })
}

interface Revocation {
  answer: unknown
  /** Of the token, if the client had it. */
  userId: string | undefined
  /** What is to be told; undefined where there was nothing to end. */
  end: 'token.revoked' | 'token.reused' | undefined
}

/** Has the provider check the client, and revoke a token of which there is a row. */
async function revoke(
  trx: Tx,
  call: () => Promise<unknown>,
  token: string,
  clientId: string | undefined,
): Promise<Revocation> {
  const held = await holdRefreshToken(trx, hashSecret(token), clientId)
  const opaque = held ? undefined : await holdAccessToken(trx, hashSecret(token), clientId)
  const userId = held?.user_id ?? opaque?.user_id ?? undefined
  try {
    const answer = await call()
    if (held) await endAccessTokens(trx, held)
    return { answer, userId, end: held || opaque ? 'token.revoked' : undefined }
  } catch (error) {
    if (!isAPIError(error) || token === '' || !isUnknown(error)) throw error
    const isReused = held !== undefined && (await endTokensOfFamily(trx, held))
    return {
      answer: { response: null, headers: new Headers(), status: 200 },
      userId,
      end: isReused ? 'token.reused' : undefined,
    }
  }
}

function isUnknown({ statusCode, body }: APIError): boolean {
  return statusCode === 400 && /^(token not found|refresh token revoked)$/.test(String(body?.['error_description']))
}

async function revokeJwt(trx: Tx, token: string): Promise<void> {
  const claims = decodeJwt(token)?.claims
  if (claims?.jti !== undefined) await revokeToken(trx, claims.jti, new Date(claims.exp * 1_000))
}

/** Calls the provider about a token, which it is to look for everywhere, whatever kind the client takes it for. */
async function callFor(call: CallEndpoint, context: EndpointContext, token: string): Promise<unknown> {
  const body = { ...(context.body as Parameters | undefined), token, token_type_hint: undefined }
  try {
    return await call({ ...context, body })
  } catch (error) {
    throw asChallenge(error)
  }
}

/** For whom a JWT stands now. Of a token that is none the database ends the row. */
async function standingOf(token: string, authenticate: Authenticate): Promise<Authenticated | 'ended' | 'opaque'> {
  if (!token.includes('.')) return 'opaque'
  try {
    const authenticated = await authenticate({ kind: 'bearer', token })
    return authenticated.token?.kind === 'oauth' ? authenticated : 'ended'
  } catch (error) {
    if (error instanceof ProblemError && error.status === 401) return 'ended'
    throw error
  }
}

/** The token of a request; of what has a blank in it, which no token has, the provider would take a part. */
function tokenIn({ body }: EndpointContext): string {
  const token = textOf(body, 'token')
  return /\s/.test(token) ? nobodys : token
}

function textOf(body: unknown, name: string): string {
  const value = ((body ?? {}) as Parameters)[name]
  return typeof value === 'string' ? value : ''
}

type Refusal = 'UNAUTHORIZED' | 'FORBIDDEN' | 'BAD_REQUEST'

function noGoodToken(): APIError {
  return challenge('UNAUTHORIZED', 'invalid_token', 'the token is not good')
}

function needsOpenid(): APIError {
  return challenge('FORBIDDEN', 'insufficient_scope', 'the scope openid is needed')
}

function challenge(status: Refusal, error: string | undefined, description: string): APIError {
  const parts = error ? [`error="${error}"`, `error_description="${description}"`] : []
  const body = { error: error ?? 'invalid_request', error_description: description }
  return new APIError(status, body, { 'www-authenticate': ['Bearer', parts.join(', ')].filter(Boolean).join(' ') })
}
