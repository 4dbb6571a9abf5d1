import { randomUUID } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { getRequestListener, RequestError } from '@hono/node-server'
import { type Exchange, openExchange } from './exchange.ts'
import { ProblemError, problemBody, problemContentType } from './problem.ts'

export type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>

interface ServerOptions {
  fetch: Fetch
  /** Sent with every response unless the handler sets its own. */
  headers: Record<string, string>
  /** Called once per request, when its response is sent or its connection is gone. */
  onExchange: (exchange: Exchange, incoming: IncomingMessage, outgoing: ServerResponse) => void
  onError: (error: unknown, exchange: Exchange) => void
}

const headersTimeoutMs = 10_000
const requestTimeoutMs = 15_000
const keepAliveTimeoutMs = 65_000
const maxHeaderBytes = 16 * 1024

/** The HTTP server: constant headers, the request id, time limits, and one exchange per request. It does not listen yet. */
export function createServer({ fetch, headers, onExchange, onError }: ServerOptions): Server {
  const constant = Object.entries(headers)
  const listener = getRequestListener(
    // node-server types its callback for HTTP/2 too; this server speaks HTTP/1.1.
    (request, env) => fetch(request, env as HttpBindings),
    {
      errorHandler: (error) => {
        throw error
      },
    },
  )
  const server = createHttpServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: maxHeaderBytes,
      requireHostHeader: true,
    },
    (incoming, outgoing) => {
      const exchange: Exchange = { id: randomUUID(), startedAt: performance.now() }
      openExchange(incoming, exchange)
      // Written here and not by a middleware: touching Hono's response costs a third of the throughput.
      for (const [name, value] of constant) outgoing.setHeader(name, value)
      outgoing.setHeader('x-request-id', exchange.id)
      outgoing.once('close', () => onExchange(exchange, incoming, outgoing))
      listener(incoming, outgoing).catch((error: unknown) => {
        if (error instanceof RequestError) return refuseMalformed(outgoing, exchange)
        onError(error, exchange)
        outgoing.destroy()
      })
    },
  )
  return server
}

/** Answers a request whose target or Host header is no URL, which no handler can be given. */
function refuseMalformed(outgoing: ServerResponse, { id }: Exchange): void {
  const problem = new ProblemError('malformed-request', 'The target of the request or its Host header is not valid.')
  outgoing.writeHead(problem.status, { 'content-type': problemContentType }).end(problemBody(problem, id))
}
