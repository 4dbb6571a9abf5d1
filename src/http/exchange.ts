import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'

/** What is known of one request beside the request itself; the source of its log line. */
export interface Exchange {
  id: string
  startedAt: number
  /** The pattern of the route that answered, never the path, which may hold a token. */
  route?: string
  /** Who asked, once that is known. */
  principal?: string
}

export type Env = { Bindings: HttpBindings }

const exchanges = new WeakMap<IncomingMessage, Exchange>()

/** Begins the exchange of a request that the server received. */
export function openExchange(incoming: IncomingMessage, exchange: Exchange): void {
  exchanges.set(incoming, exchange)
}

/** The exchange that a request belongs to. */
export function exchangeOf(c: Context): Exchange {
  const { incoming } = c.env as HttpBindings
  const exchange = exchanges.get(incoming)
  if (!exchange) throw new Error('The request did not come through createServer')
  return exchange
}

/** Notes the pattern of the route for the log; the path itself may hold a token. */
export const noteRoute = createMiddleware<Env>(async (c, next) => {
  await next()
  exchangeOf(c).route ??= routePath(c, -1)
})

/** The request id, as in `X-Request-Id` and the log. */
export function requestId(c: Context): string {
  return exchangeOf(c).id
}
