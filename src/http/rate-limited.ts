import { createMiddleware } from 'hono/factory'
import type { AddressLimit } from './address-limit.ts'
import { type Env, exchangeOf } from './exchange.ts'
import { beyond, rateLimitFields } from './quota.ts'

/**
 * Holds each client address to a limit, without waiting for anything. What a page asks of the APIs counts as the page.
 * A client that has less than a tenth left is told so; before that the fields would cost each request microseconds.
 * @param limit undefined allows any number of requests
 */
export function rateLimited(
  limit: AddressLimit | undefined,
  clientAddress: (incoming: Env['Bindings']['incoming']) => string,
) {
  if (!limit) return createMiddleware<Env>((_, next) => next())
  const few = limit.quota.most / 10
  // Not async: a promise here would be one for each request.
  return createMiddleware<Env>((c, next) => {
    const exchange = exchangeOf(c)
    if (exchange.countedBy === limit) return next()
    exchange.countedBy = limit
    const taken = limit.take(clientAddress(c.env.incoming))
    if (!taken.isAllowed) throw beyond(taken)
    if (taken.remaining < few) for (const [name, value] of Object.entries(rateLimitFields(taken))) c.header(name, value)
    return next()
  })
}
