import { createMiddleware } from 'hono/factory'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { addressBlock } from './client-address.ts'
import type { Env } from './exchange.ts'
import { ProblemError } from './problem.ts'

/**
 * Allows each client address so many requests a minute.
 * @param perMinute 0 allows any number
 */
export function rateLimited(perMinute: number, clientAddress: (incoming: Env['Bindings']['incoming']) => string) {
  if (perMinute === 0) return createMiddleware<Env>((_, next) => next())
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 })
  return createMiddleware<Env>(async (c, next) => {
    try {
      await limiter.consume(addressBlock(clientAddress(c.env.incoming)))
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      const seconds = Math.ceil(error.msBeforeNext / 1_000)
      throw new ProblemError('rate-limited', undefined, { headers: { 'retry-after': String(Math.max(1, seconds)) } })
    }
    await next()
  })
}
