import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { requestId } from '../../src/http/exchange.ts'
import { createRouter } from '../../src/http/router.ts'
import { createServer } from '../../src/http/server.ts'

type ServerOptions = Parameters<typeof createServer>[0]

const ignored = { headers: {}, onExchange: () => {}, onRefused: () => {}, onError: () => {} }

/** The port of a server that only answers, but for what a test wants of it; closed after the test. */
async function listen(options: Pick<ServerOptions, 'fetch'> & Partial<ServerOptions>): Promise<number> {
  const server = createServer({ ...ignored, ...options }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('R-35 an error that no handler caught ends the connection, and is reported with its exchange', async () => {
  const reported: unknown[] = []
  const port = await listen({
    fetch: () => {
      throw new Error('broken')
    },
    onError: (error, { id }) => reported.push([error, id]),
  })

  await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow('fetch failed')
  expect(reported).toEqual([[new Error('broken'), expect.stringMatching(/^[\w-]{36}$/)]])
})

test.each([
  ['its head', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
  ['its body', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nslow'],
])('a client that never ends %s is answered 408 and loses its connection', async (_what, sent) => {
  const port = await listen({ fetch: async (request) => new Response(await request.text()) })
  const socket = connect(port, '127.0.0.1')

  socket.write(sent)

  expect(await text(socket)).toMatch(/^HTTP\/1.1 408 /)
})

test.each([
  ['GET / HTTP/1.1\r\nBad Header: x\r\n\r\n', 400, 'malformed-request'],
  ['garbage\r\n\r\n', 400, 'malformed-request'],
  ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed-request'],
  ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: tea\r\n\r\n', 400, 'malformed-request'],
  [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 431, 'headers-too-large'],
])('what is no request at all is answered with a problem, headers and an id: %j', async (sent, status, slug) => {
  const told: unknown[] = []
  const port = await listen({
    fetch: () => new Response('never'),
    headers: { 'x-content-type-options': 'nosniff' },
    onExchange: (exchange, _incoming, outgoing) => told.push([exchange.id, outgoing.statusCode]),
    onRefused: (id, refused) => told.push([id, refused]),
  })
  const socket = connect(port, '127.0.0.1')

  socket.write(sent)

  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  const id = /x-request-id: (\S+)/i.exec(head)?.[1]
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(head).toMatch(/x-content-type-options: nosniff/i)
  expect(head).toMatch(/content-type: application\/problem\+json/i)
  expect(JSON.parse(body)).toMatchObject({ type: `/problems/${slug}`, status, instance: id })
  await expect.poll(() => told).toEqual([[id, status]])
})

test('who asks for a tunnel and is gone before the refusal is written harms nobody', async () => {
  let refused = 0
  const port = await listen({ fetch: () => new Response('well'), onRefused: () => void refused++ })

  for (let n = 1; n <= 50; n++) {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n')
    setImmediate(() => socket.resetAndDestroy())
    await expect.poll(() => refused, { interval: 1 }).toBe(n)
  }

  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('well')
})

test('who is gone before a request could be read is told nothing, and is none that was refused', async () => {
  let refused = 0
  const server = createServer({ ...ignored, fetch: () => new Response(), onRefused: () => void refused++ })
  const gone = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }).destroy()

  server.emit('clientError', Object.assign(new Error('gone'), { code: 'EPIPE' }), gone)

  expect(refused).toBe(0)
})

test('a request of HTTP/1.0 needs no host', async () => {
  const port = await listen({ fetch: (request) => new Response(new URL(request.url).pathname) })
  const socket = connect(port, '127.0.0.1')

  socket.write('GET /health HTTP/1.0\r\n\r\n')

  expect(await text(socket)).toMatch(/^HTTP\/1.1 200 [^]*\r\n\r\n\/health$/)
})

test('a handler that is asked without createServer says so', async () => {
  const app = createRouter()
  app.get('/', (c) => c.text(requestId(c)))
  app.onError((error, c) => c.text(error.message))

  const response = await app.request('/', {}, { incoming: {} })

  expect(await response.text()).toBe('The request did not come through createServer')
})
