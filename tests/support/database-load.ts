import { randomUUID } from 'node:crypto'
import type { SignedIn, TestService } from './harness.ts'

/** Users, and what they ask of a service: what is answered from memory, what is read, and what is written. */
export async function mixedCalls(service: TestService) {
  const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const calls = {
    me: () => me(service, ada),
    list: () => service.request('/api/v1/users?limit=5', { token: admin.token }),
    session: () => service.request('/api/auth/get-session', { cookie: ada.cookie }),
    rename: () =>
      service.request('/api/v1/users/me', { method: 'PATCH', token: ada.token, json: { name: randomUUID() } }),
    create: () =>
      service.request('/api/v1/users', {
        token: admin.token,
        json: { email: `${randomUUID()}@example.com`, name: 'New' },
      }),
  }
  for (const [name, call] of Object.entries(calls)) {
    const { status } = await call()
    if (status >= 300) throw new Error(`${name} is answered ${status} before anything is wrong`)
  }
  return { admin, ada, calls }
}

/** Who a token is of. */
export function me({ request }: TestService, { token }: Pick<SignedIn, 'token'>): Promise<Response> {
  return request('/api/v1/auth/me', { token })
}
