import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { invalidAt, problemOf } from '../support/wire.ts'

const service = await startServiceForFile()
const { request } = service
const ada = await service.createSignedIn()
const admin = await service.createSignedIn('admin')

test.each([
  ['GET', '/users?limit=1&limit=2', undefined, 'limit: is given more than once'],
  ['GET', '/users?include=x', undefined, 'include: is not one of: total'],
  ['GET', '/users?sort=x', undefined, 'sort: is not one of: createdAt, -createdAt, email, -email, name, -name'],
  ['PATCH', '/users/me', { name: ['Ada'] }, '/name: is not of the type string'],
  ['PUT', '/users/me/role', {}, '/role: is missing'],
  ['PUT', '/users/me/role', [], 'is not of the type object'],
  ['POST', '/clients', { name: 'Shop', redirectUris: 'https://x' }, '/redirectUris: is not of the type array'],
  [
    'POST',
    '/clients',
    { name: 'Shop', redirectUris: Array.from({ length: 21 }, (_, n) => `https://x/${n}`) },
    '/redirectUris: must have at most 20 entries',
  ],
  ['PUT', '/users/me/role', { role: '' }, '/role: must have at least 1 character'],
  ['GET', `/users?q=${'x'.repeat(201)}`, undefined, 'q: must have at most 200 characters'],
])('%s %s with %j says what is wrong in words of the wire', async (method, path, json, detail) => {
  const response = await request(`/api/v1${path}`, { method, json, token: admin.token })

  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ detail })
})

test.each([
  ['q=%FF', 'q'],
  ['q=a%', 'q'],
  ['role=user&q=%C3%28', 'q'],
  ['%FF=1', '%FF'],
  ['=1', ''],
  ['role=user&=1', ''],
])('a query that is not UTF-8, or names nothing, is refused: ?%s', async (query, parameter) => {
  const response = await request(`/api/v1/users?${query}`, { token: admin.token })

  expect(await problemOf(response)).toEqual(invalidAt(parameter))
})

test('a query that nobody reads is not looked at', async () => {
  const response = await request('/api/v1/users/me?utm=%FF', {
    method: 'PATCH',
    json: { name: 'Ada' },
    token: ada.token,
  })

  expect(response.status).toBe(200)
})

test('a query may hold any character, and an equals sign', async () => {
  const response = await request(`/api/v1/users?q=${encodeURIComponent('ä=%+ 🔑')}`, { token: admin.token })

  expect(response.status).toBe(200)
})

test.each(['/api/v1/auth/verify', '/api/auth/sign-in/email'])(
  'a client that goes before it has sent its body is no error of ours at %s',
  async (path) => {
    const logged = service.logLines().length
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: localhost',
      `Origin: ${service.baseUrl}`,
      `Authorization: Bearer ${ada.token}`,
      'Content-Type: application/json',
      'Content-Length: 100',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n{"token":`)
    await once(socket, 'connect')
    // Sent whole, so that the service is waiting for the rest.
    await request('/health')
    socket.destroy()

    const lines = () =>
      service
        .logLines()
        .slice(logged)
        .map((line) => JSON.parse(line) as { level: number; aborted?: boolean })
    await expect.poll(() => lines().some(({ aborted }) => aborted)).toBe(true)
    // Whatever is logged beside comes in the same turn.
    await request('/health')
    expect(lines().filter(({ level }) => level > 30)).toEqual([])
  },
)
