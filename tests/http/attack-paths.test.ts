import { describe, expect, test } from 'vitest'
import { endpointsThatAre } from '../support/auth-endpoints.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { sendOnce } from '../support/raw-http.ts'
import { problemOf } from '../support/wire.ts'

const service = await startServiceForFile()
const { request } = service
const ada = await (await createDoors(service)).createMember()

/** Sends a request for a target that an HTTP client would tidy up first. */
function send(method: string, target: string, { json, lines = '' }: { json?: object; lines?: string } = {}) {
  const body = json ? JSON.stringify(json) : ''
  const credentials = `Authorization: Bearer ${ada.token}\r\nOrigin: ${service.baseUrl}\r\n`
  const length = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
  const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${credentials}${json ? length : ''}${lines}`
  return sendOnce(service, `${head}Connection: close\r\n\r\n${body}`)
}

describe('N-11 another method', () => {
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

  test.each(['TRACE', 'PROPFIND', 'LINK', 'PURGE', 'SEARCH', 'MKCOL', 'OPTIONS'])(
    '%s is not allowed, and brings back nothing of the request',
    async (method) => {
      for (const path of ['/', '/api/v1/users', '/health', '/api/auth/get-session']) {
        const { status, head, body } = await send(method, path, { lines: 'X-Canary: sings\r\n' })
        expect([path, status]).toEqual([path, 405])
        expect(head).toMatch(/^allow: get, head/m)
        expect(head + body).not.toMatch(/sings|eyJ/i)
      }
      expect((await send(method, '/nothing')).status).toBe(404)
    },
  )

  test('that is none is a request that cannot be read, and no tunnel is opened', async () => {
    for (const method of ['FOO', 'CONNECT-ED', 'get'])
      expect(await send(method, '/')).toMatchObject({ status: 400, slug: 'malformed-request' })
    const { status, slug, head } = await send('CONNECT', 'internal.example:443')
    expect([status, slug]).toEqual([405, 'method-not-allowed'])
    expect(head).toContain('allow: get, head\r\n')
  })

  test.each(endpointsThatAre('served').filter(([method]) => method === 'GET'))(
    '%s %s takes a body for nothing, whatever it is',
    async (_, path) => {
      for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
        const head = `GET /api/auth${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\n`
        const { status } = await sendOnce(service, `${head}Content-Length: 2\r\n\r\n{}`)
        expect(status).toBeLessThan(500)
        expect(status).not.toBe(415)
      }
    },
  )

  test('an empty body in chunks is none', async () => {
    const head = `POST /api/auth/sign-out HTTP/1.1\r\nHost: x\r\nOrigin: ${service.baseUrl}\r\nConnection: close\r\n`
    expect(await sendOnce(service, `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatchObject({ status: 200 })
  })

  test('of Better-Auth answers 405 in its way', async () => {
    const response = await request('/api/auth/sign-out', { method: 'DELETE' })

    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
    expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })

  test.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])('is not chosen by %s', async (name) => {
    const lines = `${name}: DELETE\r\n`
    expect((await send('GET', '/api/v1/users/me/sessions', { lines })).status).toBe(200)
    expect((await send('POST', '/api/v1/users/me/sessions', { json: { _method: 'DELETE' }, lines })).status).toBe(405)
    expect((await send('GET', '/api/v1/users/me/sessions?_method=DELETE')).status).toBe(422)
    expect((await request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
  })

  test('HEAD answers as GET does, without a body', async () => {
    for (const path of ['/health', '/api/v1/auth/me', '/problems/internal', '/api/auth/ok']) {
      const [get, head] = [
        await request(path, { token: ada.token }),
        await request(path, { method: 'HEAD', token: ada.token }),
      ]
      expect([head.status, head.headers.get('content-type')]).toEqual([get.status, get.headers.get('content-type')])
      expect(await head.text()).toBe('')
    }
  })
})

describe('N-18 no file is reached', () => {
  const up = ['..', '%2e%2e', '.%2e', '%252e%252e', '%c0%ae%c0%ae', '..;']
  const slashes = ['/', '%2f', '%252f', '\\', '%5c', '%255c', '//']
  const bases = ['/api/v1/docs', '/assets', '/problems', '/']
  const files = ['package.json', 'etc/passwd', 'src/main.ts', '.data/secret']

  test.each(bases)('from %s', async (base) => {
    for (const dots of up) {
      for (const slash of slashes) {
        for (const file of files) {
          const target = `${base}${base.endsWith('/') ? '' : '/'}${`${dots}${slash}`.repeat(3)}${file}`
          const { status, body } = await send('GET', target)
          // A backslash is no part of a URL.
          expect([target, target.includes('\\') ? 400 : 404]).toEqual([target, status])
          expect(body).not.toMatch(/root:|"dependencies"/)
        }
      }
    }
  })

  test.each([
    '/api/v1/docs/',
    '//api/v1/docs',
    '/api/v1/docs//scalar.js',
    '/api/v1/docs/scalar.js/',
    '/api/v1/docs/scalar.js%00',
    '/api/v1/docs/scalar.js%2f..',
    '/assets/%00',
    '/assets/',
    '/assets/pages.css.map',
    '/%',
    '/%ff',
    '/problems/%ff',
    '/problems/__proto__',
    '/problems/constructor',
    '/.env',
    '/.git/config',
  ])('at %s', async (target) => {
    expect((await send('GET', target)).status).toBe(404)
  })

  test('but those that are served', async () => {
    for (const target of ['/api/v1/docs', '/api/v1/docs/scalar.js', '/assets/pages.css', '/problems/internal'])
      expect((await send('GET', target)).status).toBe(200)
  })
})

describe('N-20 an endpoint has one address', () => {
  const signIn = { email: ada.email, password }

  test.each([
    '//api/auth/sign-in/email',
    '/api//auth/sign-in/email',
    '/api/auth//sign-in/email',
    '/api/auth/sign-in//email',
    '/api/auth/sign-in/email/',
    '/api/auth/sign-in/email//',
    '/api/auth/%73ign-in/email',
    '/api/auth/sign-in%2Femail',
    '/api/auth/sign-in/email%00',
    '/api/auth/sign-in/email;x',
    '/api/auth/sign-in/email%20',
    '/API/auth/sign-in/email',
    '/api/auth/Sign-In/email',
  ])('POST %s answers 404', async (target) => {
    expect((await send('POST', target, { json: signIn })).status).toBe(404)
  })

  test.each([
    '/api/auth//admin/set-user-password',
    '/api/auth/%61dmin/set-user-password',
    '/api/auth/admin/set-user-password/',
    '/api/auth/./admin/set-user-password',
    '/api/auth/x/../admin/set-user-password',
    '/api/auth/verify%2Dpassword',
    '/api/auth//verify-password',
    '/api/auth/oauth2//register',
  ])('POST %s does not switch on what is switched off', async (target) => {
    expect((await send('POST', target, { json: {} })).status).toBe(404)
  })

  test.each(['//api/v1/users/me', '/api/v1//users/me', '/api/v1/users/me/', '/api/v1/users%2Fme', '/API/v1/users/me'])(
    'GET %s answers 404',
    async (target) => {
      expect((await send('GET', target)).status).toBe(404)
    },
  )

  // RFC 3986 sections 6.2.2.2 and 5.2.4: the same address in another spelling, before anything looks at it.
  test('of which other spellings meet the same rules', async () => {
    for (const target of ['/api/v1/%75sers/me', '/api/v1/x/../users/me', '/api/v1/./users/me', '/api/v1/users/%6de'])
      expect((await send('GET', target)).status).toBe(200)
    for (const target of ['/api/v1/%75sers', '/api/v1/x/../users', '/api/%761/users'])
      expect(await send('GET', target)).toMatchObject({ status: 403, slug: 'forbidden' })
    for (const target of ['/api/auth/./sign-in/email', '/api/auth/sign-in/email'])
      expect(await send('POST', target, { json: signIn })).toMatchObject({ status: 200 })
  })
})
