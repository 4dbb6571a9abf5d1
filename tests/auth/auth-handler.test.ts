import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()

test.each(['/api/auth/nothing', '/api/auth/admin/set-user-password', '/api/auth/', '/api/auth/sign-in/nothing'])(
  'what there is not at %s is told as Better-Auth tells it',
  async (path) => {
    const response = await service.request(path, { json: {}, headers: { origin: service.baseUrl } })

    expect([response.status, await response.json()]).toMatchObject([404, { code: 'NOT_FOUND' }])
  },
)

test.each([
  'GET /list-sessions',
  'GET /account-info',
  'GET /admin/list-users',
  'POST /revoke-sessions',
  'POST /unlink-account',
])('who is not signed in is told so in words at %s', async (operation) => {
  const [method = '', path = ''] = operation.split(' ')
  const json = { providerId: 'google', accountId: '1' }
  const headers = { origin: service.baseUrl }

  const response = await service.request(`/api/auth${path}`, { method, headers, ...(method === 'POST' && { json }) })

  expect([response.status, await response.json()]).toMatchObject([401, { code: 'UNAUTHORIZED' }])
})

test('HEAD answers as GET does, without a body', async () => {
  const response = await service.request('/api/auth/get-session', { method: 'HEAD' })

  expect([response.status, await response.text()]).toEqual([200, ''])
})

test.each(['/api/auth/jwks', '/api/v1/openapi.json', '/api/v1/openapi-auth.json'])(
  'what a cache may keep of %s is not given to another origin',
  async (path) => {
    for (const headers of [{}, { origin: service.baseUrl }]) {
      const response = await service.request(path, { headers })
      expect(response.headers.get('cache-control')).toMatch(/^public/)
      expect(response.headers.get('vary')).toMatch(/\borigin\b/i)
    }
  },
)
