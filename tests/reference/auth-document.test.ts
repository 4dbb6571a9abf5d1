import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { authUrl, type Document, loadDocuments, operationsOf } from '../support/document.ts'
import { password, type RequestOptions, startService, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { auth, faultOf } = await loadDocuments(service)

describe('the document of /api/auth', () => {
  test.each(operationsOf(auth))('$name is switched on', async ({ method, path }) => {
    const { cookie } = await service.createSignedIn('admin')
    const url = `/api/auth${path.replace(/\{\w+\}/, 'nothing')}`
    const response = await service.request(url, {
      method: method.toUpperCase(),
      cookie,
      ...(method === 'post' && { json: {} }),
    })
    expect(response.status).not.toBe(404)
    expect(response.status).not.toBe(405)
  })

  test('says of what takes a password, and of nothing else, that there may be too much of it', () => {
    const overloaded = operationsOf(auth).filter(({ path, method }) =>
      JSON.stringify(auth.paths[path]?.[method]?.responses['503']).includes('OVERLOADED'),
    )
    expect(overloaded.map(({ path }) => path).toSorted()).toEqual([
      '/admin/create-user',
      '/change-email',
      '/change-password',
      '/delete-user',
      '/reset-password',
      '/sign-in/email',
      '/sign-up/email',
    ])
  })

  test('holds what is really answered', async () => {
    const json = { email: `${randomUUID()}@example.com`, password, name: 'Ada' }
    const headers = { origin: service.baseUrl }
    const { cookie } = await service.createSignedIn('admin')
    const { id: userId } = await service.createSignedIn()
    const { cookie: leaving } = await service.createSignedIn()
    const answers: [string, string, RequestOptions][] = [
      ['post', '/sign-up/email', { json, headers }],
      ['post', '/sign-up/email', { json: { ...json, password: 'short' }, headers }],
      ['post', '/sign-up/email', { json, headers: { origin: 'https://evil.example' } }],
      ['post', '/sign-in/email', { json, headers }],
      ['post', '/sign-in/email', { json: { ...json, password: 'wrong password' }, headers }],
      ['post', '/sign-in/email', { body: 'x'.repeat(70_000), headers: { 'content-type': 'application/json' } }],
      ['post', '/sign-in/email', { body: 'email=ada', headers: { ...headers, 'content-type': 'text/plain' } }],
      ['post', '/request-password-reset', { json, headers }],
      ['post', '/send-verification-email', { json, headers }],
      ['get', '/get-session', { cookie }],
      ['get', '/get-session', {}],
      ['get', '/list-sessions', { cookie }],
      ['get', '/list-sessions', {}],
      ['get', '/list-accounts', { cookie }],
      ['get', '/token', { cookie }],
      ['get', '/jwks', {}],
      ['get', '/ok', {}],
      ['get', '/admin/list-users', { cookie }],
      ['post', '/admin/set-role', { cookie, json: { userId, role: 'moderator' } }],
      ['post', '/admin/ban-user', { cookie, json: { userId, banReason: 'Spam', banExpiresIn: 60 } }],
      ['post', '/admin/unban-user', { cookie, json: { userId } }],
      ['post', '/admin/list-user-sessions', { cookie, json: { userId } }],
      ['post', '/admin/update-user', { cookie, json: { userId, data: { name: 'Ada King' } } }],
      ['post', '/admin/create-user', { cookie, json: { ...json, email: `2${json.email}` } }],
      ['post', '/admin/remove-user', { cookie, json: { userId } }],
      ['post', '/admin/remove-user', { cookie, json: { userId } }],
      ['post', '/sign-out', { cookie }],
      ['post', '/delete-user', { cookie: leaving, json: {} }],
    ]
    const faults: string[] = []
    for (const [method, path, options] of answers) {
      const response = await service.request(`/api/auth${path}`, options)
      const fault = await faultOf(response, ['auth', path, method])
      if (fault) faults.push(`${method} ${path}: ${fault}`)
    }
    expect(faults).toEqual([])
  })

  test('says what an account is deleted with here, and no more', () => {
    const document = JSON.stringify(auth.paths['/delete-user'])
    expect(document).toContain(
      '"properties":{"password":{"type":"string","description":"Needed for an account that has one',
    )
    expect(document).not.toMatch(/token|callback|mail/i)
    expect(document).toContain('"409":{"description":"There must always be an active admin."')
  })

  test('has none of the endpoints that are switched off', () => {
    const off = ['/update-session', ...service.services.auth.options.disabledPaths]
    expect(Object.keys(auth.paths).filter((path) => off.includes(path))).toEqual([])
    expect(auth.paths['/get-session']).not.toHaveProperty('post')
  })

  test('has no sign-up where that is closed', async () => {
    const closed = await startService({ env: { SIGN_UP: 'closed' } })
    onTestFinished(closed.stop)
    const document = (await (await closed.request(authUrl)).json()) as Document
    expect(document.paths).not.toHaveProperty('/sign-up/email')
  })

  test('describes no row that holds a secret', () => {
    expect(Object.keys(auth.components.schemas).toSorted()).toEqual(['Error', 'Session', 'User'])
    expect(JSON.stringify(auth.components.schemas)).not.toMatch(
      /"(password|hash|secret|privateKey|accessToken|refreshToken|idToken)":/i,
    )
  })
})
