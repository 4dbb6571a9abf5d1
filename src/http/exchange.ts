import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { METHOD_NAME_ALL } from 'hono/router'

/** What is known of one request beside the request itself; the source of its log line. */
export interface Exchange {
  id: string
  startedAt: number
  /** The pattern of the route that answered, never the path, which may hold a token. */
  route?: string
  /** The limit that has counted it. */
  countedBy?: object
  /** Who asked, once that is known. */
  principal?: string
}

export type Env = { Bindings: HttpBindings }

// A property, as it is looked up several times a request, which a weak map takes longer for.
const exchangeKey = Symbol('exchange')

type Opened = IncomingMessage & { [exchangeKey]?: Exchange }

/** Begins the exchange of a request that the server received. */
export function openExchange(incoming: Opened, exchange: Exchange): void {
  incoming[exchangeKey] = exchange
}

/** The exchange that a request belongs to. */
export function exchangeOf(c: Context): Exchange {
  const { incoming } = c.env as { incoming: Opened }
  const exchange = incoming[exchangeKey]
  if (!exchange) throw new Error('The request did not come through createServer')
  return exchange
}

/**
 * Notes the pattern of the route for the log; the path itself may hold a token. What a page asks of the APIs belongs to
 * the route of the page.
 */
export const noteRoute = createMiddleware<Env>((c, next) => {
  // A middleware is for all methods; the first of the others answers.
  const route = matchedRoutes(c).find(({ method }) => method !== METHOD_NAME_ALL)
  if (route) exchangeOf(c).route ??= route.path
  return next()
})

/** The request id, as in `X-Request-Id` and the log. */
export function requestId(c: Context): string {
  return exchangeOf(c).id
}
