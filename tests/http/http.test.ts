import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { problemTypes } from '../../src/http/problem.ts'
import { startServiceForFile } from '../support/harness.ts'
import { createRawRequest } from '../support/raw-request.ts'
import { problemOf } from '../support/wire.ts'

const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: 'https://app.example.com' } })
const { request } = service
const raw = createRawRequest(service)
const ada = await service.createSignedIn()

const authorization = `Bearer ${ada.token}`
const json = 'application/json'
const patch = (body: string, headers: Record<string, string> = {}) =>
  request('/api/v1/users/me', {
    method: 'PATCH',
    token: ada.token,
    body,
    headers: { 'content-type': json, ...headers },
  })

describe('what does not exist', () => {
  test.each([
    '/nothing',
    '/api/v1/nothing',
    '/api/v1',
    '/api/v1/users/me/nothing',
    '/problems/nothing',
    '/problems',
    '/.env',
  ])('answers 404 at %s', async (path) => {
    expect(await problemOf(await request(path))).toEqual({ status: 404, slug: 'not-found', at: [] })
  })

  test.each(['', 'callback/', 'reset-password/'])(
    'answers 404 at a path under /api/auth/%s that is too long',
    async (at) => {
      const path = randomBytes(3_000).toString('hex')
      expect((await request(`/api/auth/${at}${path}?callbackURL=/x`)).status).toBe(404)
    },
  )

  test('answers 404 under /api/auth in Better-Auth’s way', async () => {
    const response = await request('/api/auth/nothing')
    expect(response.status).toBe(404)
  })
})

describe('a request that is no URL', () => {
  test.each([
    'GET / HTTP/1.1\r\nHost: [',
    'GET / HTTP/1.1\r\nHost: a b',
    'GET / HTTP/1.1\r\nHost: a/b',
    'GET / HTTP/1.1\r\nHost: user@host',
    'GET http://[ HTTP/1.1\r\nHost: x',
    'GET /a\\b HTTP/1.1\r\nHost: x',
    'OPTIONS * HTTP/1.1\r\nHost: x',
  ])('is refused with a problem, and is no error of ours: %j', async (head) => {
    const logged = service.logLines().length
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
    socket.end(`${head}\r\nConnection: close\r\n\r\n`)
    const answer = await text(socket)

    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    const [, id] = /x-request-id: (\S+)/i.exec(answer) ?? []
    expect(answer).toMatch(new RegExp(`"type":"/problems/malformed-request".*"instance":"${id}"`))
    const levels = service
      .logLines()
      .slice(logged)
      .map((line) => (JSON.parse(line) as { level: number }).level)
    expect(levels).toEqual([30])
  })
})

describe('another method', () => {
  test.each([
    ['PUT', '/api/v1/users', 'GET, HEAD, POST'],
    ['POST', '/api/v1/users/me', 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/api/v1/users/me/role', 'PUT'],
    ['GET', '/api/v1/users/me/ban', 'POST, DELETE'],
    ['POST', '/api/v1/users/me/sessions/x', 'DELETE'],
    ['GET', '/api/v1/auth/verify', 'POST'],
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/', 'GET, HEAD'],
    ['POST', '/problems/internal', 'GET, HEAD'],
  ])('%s %s answers 405 and allows %s', async (method, path, allow) => {
    const response = await request(path, { method })

    expect(response.headers.get('allow')).toBe(allow)
    expect(await problemOf(response)).toEqual({ status: 405, slug: 'method-not-allowed', at: [] })
  })

  test.each(['TRACE', 'PROPFIND', 'LINK', 'PURGE', 'SEARCH', 'MKCOL', 'CONNECT-ED', 'OPTIONS'])(
    '%s is answered, and never with 5xx',
    async (method) => {
      for (const path of ['/', '/api/v1/users', '/api/auth/get-session', '/health', '/nothing']) {
        const status = await raw(path, { method, headers: { authorization } }).then(
          (response) => response.status,
          // Node refuses what is no method at all before a request comes to be.
          () => 400,
        )
        expect([204, 400, 404, 405]).toContain(status)
      }
    },
  )

  test('of Better-Auth answers 405 in its way', async () => {
    const response = await request('/api/auth/sign-out', { method: 'DELETE' })

    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })

  test('HEAD answers as GET does, without a body', async () => {
    for (const path of ['/health', '/api/v1/auth/me', '/problems/internal']) {
      const [get, head] = [
        await request(path, { token: ada.token }),
        await request(path, { method: 'HEAD', token: ada.token }),
      ]
      expect([head.status, head.headers.get('content-type')]).toEqual([get.status, get.headers.get('content-type')])
      expect(await head.text()).toBe('')
    }
  })
})

describe('a body', () => {
  const limit = 64 * 1024
  const bodyOfSize = (size: number) => `{"name":"${'n'.repeat(size - 11)}"}`

  test('of more than 64 KiB is refused, with its length or in chunks', async () => {
    const headers = { authorization, 'content-type': json }
    const body = bodyOfSize(limit + 1)
    const chunks = body.match(/[^]{1,4096}/g) ?? []
    for (const path of ['/api/v1/users/me', '/api/auth/sign-in/email']) {
      const method = path.endsWith('me') ? 'PATCH' : 'POST'
      for (const sent of [body, chunks]) {
        const response = await raw(path, { method, headers, body: sent })
        expect([response.status, response.headers.connection]).toEqual([413, 'close'])
      }
    }
    expect((await raw('/api/v1/users/me', { method: 'PATCH', headers, body })).type).toBe('payload-too-large')
  })

  test('of 64 KiB is read', async () => {
    const headers = { authorization, 'content-type': json }
    for (const body of [bodyOfSize(limit), [bodyOfSize(limit)]]) {
      expect(await raw('/api/v1/users/me', { method: 'PATCH', headers, body })).toMatchObject({
        status: 422,
        type: 'validation',
      })
    }
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'json',
    'application/jsonp',
    'text/json',
    '',
  ])('of the type %j is refused', async (type) => {
    const response = await patch('{"name":"Ada"}', { 'content-type': type })
    expect(await problemOf(response)).toEqual({ status: 415, slug: 'unsupported-media-type', at: [] })
  })

  test.each(['application/json;charset=UTF-8', 'Application/JSON', 'application/json; charset="utf-8"'])(
    'of the type %j is read',
    async (type) => {
      expect((await patch('{"name":"Ada"}', { 'content-type': type })).status).toBe(200)
    },
  )

  test.each(['{', '{"name":"Ada"', '{name:1}', "{'name':'Ada'}", 'Ada', '{"name":"Ada"}}', '\u0000', ' '])(
    'that is broken JSON is refused: %j',
    async (body) => {
      expect(await problemOf(await patch(body))).toEqual({ status: 400, slug: 'malformed-request', at: [] })
    },
  )

  test('that is missing is a validation problem', async () => {
    const response = await request('/api/v1/users/me', { method: 'PATCH', token: ada.token })
    expect(await problemOf(response)).toMatchObject({ status: 422, slug: 'validation' })
  })
})

describe('pages', () => {
  test.each(Object.entries(problemTypes))('/problems/%s explains it', async (slug, { title, explanation, status }) => {
    const response = await request(`/problems/${slug}`)
    const page = (await response.text()).replaceAll('&quot;', '"').replaceAll('&#39;', "'")

    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8'])
    for (const part of [`<title>${title} · Latchkey</title>`, title, explanation, slug, String(status)])
      expect(page).toContain(part)
  })

  test('/ leads to sign-in', async () => {
    const response = await request('/')
    expect([response.status, response.headers.get('location')]).toEqual([303, '/sign-in'])
  })

  test.each(['/health', '/health/db', '/health/ready'])('%s answers ok and is not kept', async (path) => {
    const response = await request(path)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await response.json()).toEqual({ status: 'ok' })
  })
})
