import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Certificate } from './standins/certificates.ts'

/** What a proxy makes of what it passes on. Each is given headers, and what it returns is sent. */
export interface Habits {
  /** Of a request, with the address of who sent it. */
  request?: (headers: IncomingHttpHeaders, client: string) => IncomingHttpHeaders
  response?: (headers: IncomingHttpHeaders) => IncomingHttpHeaders
  path?: (path: string) => string
  /** Answers by itself, and passes nothing on. */
  answer?: (incoming: IncomingMessage, outgoing: ServerResponse) => void
}

/** An HTTP proxy before a service, whose address is 127.0.0.2. */
export interface FrontProxy {
  url: string
  /** Where it leads to; nowhere before. */
  target: string
  habits: Habits
  /** Shows another certificate from now on. */
  present: (certificate: Certificate) => void
}

/** What a proxy does that is set up well: it tells whom it works for. */
export const appending: Habits = {
  request: ({ 'x-forwarded-for': former, ...headers }, client) => ({
    ...headers,
    'x-forwarded-for': former === undefined ? client : `${String(former)}, ${client}`,
  }),
}

/** Headers but for one. */
export function without(headers: IncomingHttpHeaders, name: string): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
}

/** Starts it, with TLS if there is a certificate, until the test ends. */
export async function startFrontProxy(
  habits: Habits,
  certificate?: Certificate,
  whenDone: (stop: () => Promise<void>) => void = onTestFinished,
): Promise<FrontProxy> {
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse) => pass(proxy, incoming, outgoing)
  const server = certificate ? createTlsServer(certificate, handle) : createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  whenDone(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const proxy: FrontProxy = {
    url: `http${certificate ? 's' : ''}://localhost:${port}`,
    target: '',
    habits,
    present: ({ key, cert }) => (server as Server).setSecureContext({ key, cert }),
  }
  return proxy
}

function pass({ target, habits }: FrontProxy, incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (habits.answer) return habits.answer(incoming, outgoing)
  const client = incoming.socket.remoteAddress ?? ''
  const headers = habits.request?.(incoming.headers, client) ?? incoming.headers
  const { method = 'GET', url = '/' } = incoming
  const onward = request(`${target}${habits.path?.(url) ?? url}`, {
    method,
    headers,
    localAddress: '127.0.0.2',
    agent: false,
  })
  onward.on('error', () => outgoing.destroy())
  onward.on('response', (answered) => {
    outgoing.writeHead(answered.statusCode ?? 502, habits.response?.(answered.headers) ?? answered.headers)
    answered.pipe(outgoing)
  })
  incoming.pipe(onward)
}
