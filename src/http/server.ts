import { randomUUID } from 'node:crypto'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import { getRequestListener, RequestError } from '@hono/node-server'
import { type Exchange, openExchange } from './exchange.ts'
import { ProblemError, type ProblemSlug, problemBody, problemContentType } from './problem.ts'
import { responseWith } from './response.ts'

export type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>

interface ServerOptions {
  fetch: Fetch
  /** Sent with every response unless the handler sets its own. */
  headers: Record<string, string>
  /** Called once per request, when its response is sent or its connection is gone. */
  onExchange: (exchange: Exchange, incoming: IncomingMessage, outgoing: ServerResponse) => void
  /** Called for what never became a request: its head could not be read, or did not come in time. */
  onRefused: (id: string, status: number) => void
  onError: (error: unknown, exchange: Exchange) => void
}

const limits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
  // Refused like any other request that is no URL, with a problem.
  requireHostHeader: false,
}

/** The HTTP server: constant headers, the request id, time limits, and one exchange per request. It does not listen yet. */
export function createServer({ fetch, headers, onExchange, onRefused, onError }: ServerOptions): Server {
  const Response = responseWith(headers)
  const listener = getRequestListener(
    // node-server types its callback for HTTP/2 too; this server speaks HTTP/1.1.
    (request, env) => fetch(request, env as HttpBindings),
    {
      errorHandler: (error) => {
        throw error
      },
    },
  )

  function open(incoming: IncomingMessage, outgoing: InstanceType<typeof Response>): Exchange {
    const exchange: Exchange = { id: randomUUID(), startedAt: performance.now() }
    openExchange(incoming, exchange)
    outgoing.requestId = exchange.id
    // Emitted once.
    outgoing.on('close', () => onExchange(exchange, incoming, outgoing))
    return exchange
  }

  const server = createHttpServer({ ...limits, ServerResponse: Response }, (incoming, outgoing) => {
    // HTTP/1.0 needs none, and some load balancers ask so; no host that a client names is believed.
    if (incoming.httpVersion === '1.0') incoming.headers.host ??= 'localhost'
    const exchange = open(incoming, outgoing)
    const fault = headFault(incoming)
    if (fault) return refuse(outgoing, exchange, fault)
    listener(incoming, outgoing).catch((error: unknown) => {
      if (error instanceof RequestError) return refuse(outgoing, exchange, malformed(targetFault))
      onError(error, exchange)
      outgoing.destroy()
    })
  })
  server.on('checkExpectation', (incoming: IncomingMessage, outgoing: InstanceType<typeof Response>) => {
    refuse(outgoing, open(incoming, outgoing), malformed('The Expect header asks for what is not done here.'))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Who has gone is told nothing.
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    refuseRaw(
      socket,
      new ProblemError(unparsed.get(error.code) ?? 'malformed-request', 'The request could not be read.'),
    )
  })
  server.on('connect', (_incoming, socket) => {
    socket.on('error', () => socket.destroy())
    refuseRaw(socket, new ProblemError('method-not-allowed', 'This is no proxy.', { headers: { allow: 'GET, HEAD' } }))
  })

  function refuseRaw(socket: Duplex, problem: ProblemError): void {
    const id = randomUUID()
    socket.end(rawResponse(problem, id, headers), () => socket.destroy())
    onRefused(id, problem.status)
  }
  return server
}

const targetFault = 'The target of the request or its Host header is not valid.'
const malformed = (detail: string) => new ProblemError('malformed-request', detail)
const maxFields = 100

/** What Node lets pass in a head: it takes the first of two hosts, and drops the fields after many. @see RFC 9112 section 3.2 */
function headFault({ rawHeaders }: IncomingMessage): ProblemError | undefined {
  if (rawHeaders.length > 2 * maxFields) return new ProblemError('headers-too-large')
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1)
      return malformed('There are two Host headers.')
  }
  return undefined
}

// By Node's codes for what it cannot make a request of.
const unparsed = new Map<string | undefined, ProblemSlug>([
  ['HPE_HEADER_OVERFLOW', 'headers-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'payload-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
])

/** Answers a request that no handler can be given. */
function refuse(outgoing: ServerResponse, { id }: Exchange, problem: ProblemError): void {
  const body = problemBody(problem, id)
  const length = Buffer.byteLength(body)
  outgoing.writeHead(problem.status, { 'content-type': problemContentType, 'content-length': length }).end(body)
}

/** An answer to what never became a request, so that nothing but the socket is there to write to. */
function rawResponse(problem: ProblemError, id: string, constant: Record<string, string>): string {
  const body = problemBody(problem, id)
  const headers = {
    ...constant,
    ...problem.headers,
    'x-request-id': id,
    'content-type': problemContentType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines}\r\n${body}`
}
