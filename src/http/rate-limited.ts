import { createMiddleware } from 'hono/factory'
import { addressBlock } from './client-address.ts'
import type { Env } from './exchange.ts'
import { ProblemError } from './problem.ts'
import type { RequestLimit } from './request-limit.ts'

/**
 * Holds each client address to a limit, without waiting for anything.
 * @param limit undefined allows any number of requests
 */
export function rateLimited(
  limit: RequestLimit | undefined,
  clientAddress: (incoming: Env['Bindings']['incoming']) => string,
) {
  if (!limit) return createMiddleware<Env>((_, next) => next())
  // Not async: a promise here would be one for each request.
  return createMiddleware<Env>((c, next) => {
    const waitMs = limit.take(addressBlock(clientAddress(c.env.incoming)))
    if (waitMs === 0) return next()
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
    throw new ProblemError('rate-limited', undefined, { headers: { 'retry-after': String(seconds) } })
  })
}
