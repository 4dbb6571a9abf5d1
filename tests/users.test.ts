import { expect, test } from 'vitest'
import { startServiceForFile } from './harness.ts'

const service = await startServiceForFile()

test('GET /auth/me answers with the user behind a session JWT', async () => {
  const ada = await service.createSignedIn()

  const response = await service.request('/api/v1/auth/me', { token: ada.token })

  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ id: ada.id, email: ada.email, role: 'user', banned: false })
})

test('POST /users/{id}/ban refuses the JWT that the user already has', async () => {
  const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]

  const response = await service.request(`/api/v1/users/${ada.id}/ban`, { method: 'POST', token: admin.token })
  const after = await service.request('/api/v1/auth/me', { token: ada.token })

  expect(response.status).toBe(200)
  expect(await after.json()).toMatchObject({ type: '/problems/banned' })
})
