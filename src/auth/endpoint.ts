import type { BetterAuthOptions } from 'better-auth'
import { APIError, type getSessionFromCtx } from 'better-auth/api'
import type { z } from 'zod'

/** An endpoint of Better-Auth, as its dispatcher calls it. */
export interface Endpoint {
  (context: EndpointContext): Promise<unknown>
  options: { body?: z.ZodType }
}

export interface EndpointContext {
  headers?: Headers | undefined
  request?: Request | undefined
  body?: unknown
  query?: Record<string, unknown> | undefined
  context: { options: BetterAuthOptions; adapter: unknown }
}

/** Calls an endpoint as Better-Auth made it. */
export type CallEndpoint = (context: EndpointContext) => Promise<unknown>

/** Puts `run` around the calls of an endpoint of Better-Auth; all else of it stays. */
export function wrapEndpoint<E>(
  endpoint: E,
  run: (call: CallEndpoint, context: EndpointContext) => Promise<unknown>,
): E {
  const original = endpoint as unknown as Endpoint
  const wrapped = (context: EndpointContext) => run((given) => original(given), context)
  return Object.assign(wrapped, endpoint)
}

/** The context of a call, as middleware of Better-Auth has it. */
export type MiddlewareContext = Parameters<typeof getSessionFromCtx>[0]

/**
 * The session token in the cookie of a call, if there is one that we signed. Read as the endpoints do: another parser of cookies
 * can be made to see another session than they.
 */
export function sessionTokenOf({ context, getSignedCookie }: MiddlewareContext) {
  return getSignedCookie(context.authCookies.sessionToken.name, context.secret)
}

/** What Better-Auth itself answers to who has no session. */
export function unauthorized(): APIError {
  return new APIError('UNAUTHORIZED', { code: 'UNAUTHORIZED', message: 'Unauthorized' })
}

/** An error in Better-Auth's shape. */
export function refused(
  code: string,
  message: string,
  status: 'FORBIDDEN' | 'BAD_REQUEST' | 'NOT_FOUND' = 'FORBIDDEN',
): APIError {
  return new APIError(status, { code, message })
}
