import { APIError } from 'better-auth/api'
import type { Db } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import type { Endpoint, EndpointContext } from './endpoint-guard.ts'
import { decodeJwt } from './jwt.ts'
import { revokeToken } from './oauth.queries.ts'
import { apiScopesOf } from './oauth-scopes.ts'
import type { Authenticate } from './principal.ts'

type Parameters = Record<string, unknown>
type Run = (call: (context: EndpointContext) => Promise<unknown>, context: EndpointContext) => Promise<unknown>

function wrap<E>(endpoint: E, run: Run): E {
  const original = endpoint as unknown as Endpoint
  const wrapped = (context: EndpointContext) => run((given) => original(given), context)
  return Object.assign(wrapped, endpoint)
}

/**
 * Authorization: a client that asks for scopes of `/api/v1` without naming it as the resource gets a token for it. The
 * answer is a redirection, whoever asks.
 * @see RFC 6749 section 4.1.2, RFC 8707 section 2
 */
export function guardAuthorization<E>(endpoint: E, resource: string): E {
  const named = (parameters: Parameters) => {
    const { scope } = parameters
    const isWanted = typeof scope !== 'string' || apiScopesOf(scope).length > 0
    return isWanted && parameters['resource'] === undefined ? { ...parameters, resource } : parameters
  }
  return wrap(endpoint, (call, { request, body, query, ...context }) => {
    const plain = { ...context, request: request && navigated(request) }
    return body === undefined
      ? call({ ...plain, query: named(query ?? {}) })
      : call({ ...plain, query, body: named(body as Parameters) })
  })
}

/** The request as a browser's address bar sends it: one of a script is answered with JSON by the provider. */
function navigated(request: Request): Request {
  const headers = new Headers(request.headers)
  headers.delete('sec-fetch-mode')
  return new Request(request.url, { method: request.method, headers })
}

/** Introspection: a token that `/api/v1` refuses is not active. @see RFC 7662 section 2.2 */
export function guardIntrospection<E>(endpoint: E, authenticate: Authenticate): E {
  return wrap(endpoint, async (call, context) => {
    const answer = (await call(context)) as { response: { active?: boolean } }
    const isOver = answer.response.active && !(await isAlive(textOf(context.body, 'token'), authenticate))
    return isOver ? { ...answer, response: { active: false } } : answer
  })
}

/**
 * User information: a token that `/api/v1` refuses is refused, and every refusal says how to ask.
 * @see OpenID Connect Core 1.0 section 5.3.3, RFC 6750 section 3
 */
export function guardUserInfo<E>(endpoint: E, authenticate: Authenticate): E {
  return wrap(endpoint, async (call, context) => {
    const authorization = context.headers?.get('authorization')
    const token = authorization?.replace(/^\S+ +/, '') ?? textOf(context.body, 'access_token')
    if (token === '') throw challenge('UNAUTHORIZED', undefined, 'an access token is needed')
    try {
      const answer = await call(context)
      if (!(await isAlive(token, authenticate))) throw challenge('UNAUTHORIZED', 'invalid_token', 'the token has ended')
      return answer
    } catch (error) {
      if (!(error instanceof APIError) || error.statusCode >= 500 || error.headers) throw error
      const isScope = error.body?.['error'] === 'invalid_scope'
      throw isScope
        ? challenge('FORBIDDEN', 'insufficient_scope', 'the scope openid is needed')
        : challenge('UNAUTHORIZED', 'invalid_token', 'the token is not good')
    }
  })
}

/**
 * Revocation: of a token that is unknown there is nothing left to do, and an access token is ended, though it needs no
 * row to be good.
 * @see RFC 7009 section 2.2
 */
export function guardRevocation<E>(endpoint: E, db: Db): E {
  return wrap(endpoint, async (call, context) => {
    try {
      return await call(context)
    } catch (error) {
      if (!(error instanceof APIError) || error.statusCode !== 400) throw error
      const code = error.body?.['error']
      const token = textOf(context.body, 'token')
      // The client was authenticated by then, and the token is known to be ours.
      if (code === 'unsupported_token_type') await revokeOwn(db, token, clientOf(context))
      else if (token === '' || !isUnknown(error)) throw error
      return { response: null, headers: new Headers(), status: 200 }
    }
  })
}

async function revokeOwn(db: Db, token: string, clientId: string | undefined): Promise<void> {
  const claims = decodeJwt(token)?.claims
  if (claims?.jti === undefined || claims.client_id !== clientId) return
  await revokeToken(db, claims.jti, new Date(claims.exp * 1_000))
}

function isUnknown({ body }: APIError): boolean {
  return /^(token not found|Invalid access token|refresh token revoked)$/.test(String(body?.['error_description']))
}

/** Whose request it is, once the provider has checked it. @see RFC 6749 section 2.3.1 */
function clientOf({ headers, body }: EndpointContext): string | undefined {
  const basic = /^basic +(\S+)$/i.exec(headers?.get('authorization') ?? '')?.[1]
  if (basic === undefined) return textOf(body, 'client_id')
  const [id = ''] = Buffer.from(basic, 'base64').toString().split(':')
  return decodeURIComponent(id.replaceAll('+', ' '))
}

/** Whether what a JWT hangs on still stands. Of a token that is none the database ends the row. */
async function isAlive(token: string, authenticate: Authenticate): Promise<boolean> {
  if (!decodeJwt(token)) return true
  try {
    await authenticate({ kind: 'bearer', token })
    return true
  } catch (error) {
    if (error instanceof ProblemError && error.status === 401) return false
    throw error
  }
}

function textOf(body: unknown, name: string): string {
  const value = ((body ?? {}) as Parameters)[name]
  return typeof value === 'string' ? value : ''
}

function challenge(status: 'UNAUTHORIZED' | 'FORBIDDEN', error: string | undefined, description: string): APIError {
  const parts = error ? [`error="${error}"`, `error_description="${description}"`] : []
  const body = { error: error ?? 'invalid_request', error_description: description }
  return new APIError(status, body, { 'www-authenticate': ['Bearer', parts.join(', ')].filter(Boolean).join(' ') })
}
