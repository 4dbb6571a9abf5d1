import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { answersIn, openSocket, readToEnd, sendBytes, sendOnce } from '../support/raw-http.ts'

const service = await startServiceForFile()
const { request } = service
const ada = await service.createSignedIn()
const authorization = `Bearer ${ada.token}`
const head = `POST /api/v1/auth/verify HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\n`
const chunked = `${head}Transfer-Encoding: chunked\r\n`

/** A good request at the end, which must not be answered where what is before it was refused. */
const next = 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

describe('N-22 a request whose end two servers could see in two places', () => {
  test.each([
    ['a length and chunks', `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['chunks and a length', `${chunked}Content-Length: 12\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['the same length twice', `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a list of lengths', `${head}Content-Length: 2, 2\r\n\r\n{}`],
    ['a space before the colon', `${head}Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['lines that end in LF', `${head.replaceAll('\r\n', '\n')}Content-Length: 2\n\n{}`],
    ['chunks that end in LF', `${chunked}\r\n2\n{}\n0\n\n`],
    ['a negative length', `${head}Content-Length: -1\r\n\r\n{}`],
    ['a length with a sign', `${head}Content-Length: +2\r\n\r\n{}`],
    ['a length in hexadecimal', `${head}Content-Length: 0x2\r\n\r\n{}`],
    ['an unknown coding', `${head}Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['a coding after the chunks', `${head}Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['two codings', `${chunked}Transfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk of 0x2', `${chunked}\r\n0x2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk of -1', `${chunked}\r\n-1\r\n{}\r\n0\r\n\r\n`],
    ['a folded header', `${head}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}`],
    ['NUL in a header', `${head}X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}`],
  ])('is refused, and what follows is not read: %s', async (_what, bytes) => {
    const answer = await sendOnce(service, bytes + next)

    expect([answer.status, answer.slug]).toEqual([400, 'malformed-request'])
    expect(answer.head).toContain('connection: close')
  })

  test('is not one with a length, or in chunks', async () => {
    for (const bytes of [`${head}Content-Length: 2\r\n\r\n{}`, `${chunked}\r\n2\r\n{}\r\n0\r\n\r\n`]) {
      expect((await sendBytes(service, bytes + next)).map(({ status }) => status)).toEqual([200, 200])
    }
  })
})

describe('N-23 the host of a request', () => {
  test.each(['Host: x\r\nHost: x', 'Host: x\r\nhOST: y', 'Host: x\r\nX-A: b\r\nHost: '])(
    'is named once: %j',
    async (hosts) => {
      for (const path of ['/health', '/api/auth/ok', '/sign-in'])
        expect((await sendOnce(service, `GET ${path} HTTP/1.1\r\n${hosts}\r\nConnection: close\r\n\r\n`)).status).toBe(
          400,
        )
    },
  )

  test.each([
    'GET /health HTTP/1.1',
    'GET / HTTP/1.1\r\nHost: [',
    'GET / HTTP/1.1\r\nHost: a b',
    'GET / HTTP/1.1\r\nHost: a/b',
    'GET / HTTP/1.1\r\nHost: user@host',
    'GET http://[ HTTP/1.1\r\nHost: x',
    'GET /a\\b HTTP/1.1\r\nHost: x',
    'OPTIONS * HTTP/1.1\r\nHost: x',
  ])('and its target are a URL, or it is a problem and no error of ours: %j', async (start) => {
    const logged = service.logLines().length
    const { status, slug, head: answered, body } = await sendOnce(service, `${start}\r\nConnection: close\r\n\r\n`)

    expect([status, slug]).toEqual([400, 'malformed-request'])
    const [, id] = /x-request-id: (\S+)/.exec(answered) ?? []
    expect(JSON.parse(body)).toMatchObject({ instance: id })
    const levels = service
      .logLines()
      .slice(logged)
      .map((line) => (JSON.parse(line) as { level: number }).level)
    expect(levels).toEqual([30])
  })

  // RFC 9112 section 3.2.2 wants the absolute form to be taken; no host that is named is believed.
  test.each([
    ['a foreign Host', (path: string) => `GET ${path} HTTP/1.1\r\nHost: evil.example\r\n`],
    ['the absolute form', (path: string) => `GET http://evil.example${path} HTTP/1.1\r\nHost: x\r\n`],
    ['X-Forwarded-Host', (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: evil.example\r\n`],
  ])('is believed by nothing that is answered: %s', async (_what, start) => {
    const paths = [
      '/',
      '/sign-in',
      '/health',
      '/api/v1/openapi.json',
      '/api/v1/nothing',
      '/api/auth/.well-known/openid-configuration',
      '/api/auth/reset-password/x?callbackURL=/reset-password',
      '/api/auth/oauth2/authorize?client_id=x',
    ]
    for (const path of paths) {
      const bytes = `${start(path)}Connection: close\r\n\r\n`
      const { status, head: answered, body } = await sendOnce(service, bytes)
      expect([path, status < 500, `${answered}${body}`.includes('evil.example')]).toEqual([path, true, false])
      const usual = await request(path)
      expect([path, status]).toEqual([path, usual.status])
      const location = /^location: (.*)$/m.exec(answered)?.[1]?.trim()
      expect(location).toEqual(usual.headers.get('location')?.toLowerCase())
    }
  })
})

test('N-24 a head of more than 16 KiB or 100 fields is refused, however it is filled', async () => {
  const fields = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: 1\r\n`).join('')
  const withHead = async (lines: string) =>
    (await sendOnce(service, `GET /health HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`)).status

  expect(await withHead(`X: ${'x'.repeat(20_000)}\r\n`)).toBe(431)
  expect(await withHead(`Cookie: a=${'x'.repeat(8_000)}\r\n`.repeat(50))).toBe(431)
  // Two more are there.
  expect(await withHead(fields(99))).toBe(431)
  // Node drops the fields after the two thousandth.
  expect(await withHead('X:\r\n'.repeat(3_000))).toBe(431)
  expect(await withHead(fields(98))).toBe(200)
  expect(await withHead(`Cookie: a=${'x'.repeat(8_000)}\r\n`)).toBe(200)
})

describe('N-09 a body in chunks', () => {
  const chunk = (content: string) => `${content.length.toString(16)}\r\n${content}\r\n`

  test('is refused at the limit, wherever it is sent, and no more of it is read', async () => {
    for (const path of ['/api/v1/auth/verify', '/api/auth/sign-in/email', '/api/auth/oauth2/token', '/sign-in']) {
      const start = chunked.replace('/api/v1/auth/verify', path)
      const answer = await sendOnce(service, `${start}\r\n${chunk(' '.repeat(4_096)).repeat(17)}`)
      expect([path, answer.status]).toEqual([path, 413])
      expect(answer.head).toContain('connection: close')
    }
  })

  test('has no extensions worth the name', async () => {
    const { status, slug } = await sendOnce(service, `${chunked}\r\n2;${'a'.repeat(1_000_000)}\r\n{}\r\n0\r\n\r\n`)
    expect([status, slug]).toEqual([413, 'payload-too-large'])
    const [short] = await sendBytes(service, `${chunked}Connection: close\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n`)
    expect(short?.status).toBe(200)
  })

  test('brings no header in its trailers', async () => {
    const bytes = `${chunked.replace(/Authorization.*\r\n/, '')}Connection: close\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: ${authorization}\r\n\r\n`
    expect((await sendOnce(service, bytes)).status).toBe(401)
  })
})

describe('N-08 a body', () => {
  const limit = 64 * 1024
  const bodyOfSize = (size: number) => `{"name":"${'n'.repeat(size - 11)}"}`
  const headers = { authorization, 'content-type': 'application/json' }

  /** Sends a body with its length, or in chunks when it is a list. */
  async function send(path: string, body: string | string[]) {
    const method = path.endsWith('me') ? 'PATCH' : 'POST'
    const outgoing = httpRequest(`${service.url}${path}`, { method, agent: false, headers })
    // The answer may come, and the connection go, before everything is written.
    outgoing.on('error', () => {})
    if (typeof body === 'string') outgoing.setHeader('content-length', Buffer.byteLength(body))
    for (const part of [body].flat()) outgoing.write(part)
    outgoing.end()
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const [{ slug } = { slug: undefined }] = answersIn(`HTTP/1.1 000 \r\n\r\n${await text(incoming).catch(() => '')}`)
    return { status: incoming.statusCode, connection: incoming.headers.connection, slug }
  }

  test('of more than 64 KiB is refused, with its length or in chunks', async () => {
    const body = bodyOfSize(limit + 1)
    const refusals = { '/api/v1/users/me': 'payload-too-large', '/api/auth/sign-in/email': 'PAYLOAD_TOO_LARGE' }
    for (const [path, slug] of Object.entries(refusals)) {
      for (const sent of [body, body.match(/[^]{1,4096}/g) ?? []])
        expect(await send(path, sent)).toEqual({ status: 413, connection: 'close', slug })
    }
  })

  test('of 64 KiB is read', async () => {
    for (const body of [bodyOfSize(limit), [bodyOfSize(limit)]])
      expect(await send('/api/v1/users/me', body)).toMatchObject({ status: 422, slug: 'validation' })
  })

  test.each([10, 60])('of %i MB is refused before it comes, or without being kept', async (megabytes) => {
    const length = megabytes * 1_000_000
    const announced = await sendOnce(service, `${head}Content-Length: ${length}\r\n\r\n{`)
    expect([announced.status, announced.slug]).toEqual([413, 'payload-too-large'])

    // All of it is offered; what the service takes of it is bounded by its limit and the buffers between.
    const socket = openSocket(service)
    socket.write(`${head}Content-Length: ${length}\r\n\r\n`)
    const part = Buffer.alloc(1_000_000, ' ')
    let taken = 0
    for (let sent = 0; sent < length && socket.writable; sent += part.length) {
      socket.write(part, (error) => (taken += error ? 0 : part.length))
    }
    const answered = await readToEnd(socket)
    expect(taken).toBeLessThan(length)
    // A connection that is reset on the way may take the answer with it.
    expect(['', 'HTTP/1.1 413']).toContain(answered.slice(0, 12))
  })
})

test('D-10 ten thousand requests in one go are answered in order, and leave no connection behind', async () => {
  const count = 10_000
  const socket = openSocket(service)
  const received = text(socket)
  const targets = Array.from({ length: count }, (_, n) => (n % 3 === 1 || n % 7 === 2 ? '/' : '/problems/internal'))
  const requests = targets.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n`)
  socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`)

  const statuses = answersIn(await received).map(({ status }) => status)
  expect(statuses).toEqual(targets.map((path) => (path === '/' ? 303 : 200)))
})

test('D-10, R-49 clients that reset their connections once they have asked leave nothing behind', async () => {
  const logged = service.logLines().length
  const sockets = process.getActiveResourcesInfo().length
  const count = 500
  for (let i = 0; i < count; i++) {
    const socket = openSocket(service)
    await once(socket, 'connect')
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`)
    socket.resetAndDestroy()
  }

  await expect
    .poll(() => process.getActiveResourcesInfo().length, { timeout: 20_000 })
    .toBeLessThanOrEqual(sockets + 10)
  expect((await request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
  const levels = service
    .logLines()
    .slice(logged)
    .map((line) => (JSON.parse(line) as { level: number }).level)
  expect(levels.filter((level) => level > 30)).toEqual([])
})
