import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { SignedIn, TestService } from './harness.ts'

/** Users, and what they ask of a service: what is answered from memory, what is read, and what is written. */
export async function mixedCalls(service: TestService) {
  const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const calls = {
    me: () => judged<{ id: string }>(me(service, ada), ({ id }) => id === ada.id),
    list: () =>
      judged<{ data: unknown[] }>(
        service.request('/api/v1/users?limit=5', { token: admin.token }),
        ({ data }) => data.length > 1,
      ),
    session: () =>
      judged<{ user: { id: string } } | null>(
        service.request('/api/auth/get-session', { cookie: ada.cookie }),
        (session) => session?.user.id === ada.id,
      ),
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

/** @throws Error for a success that is none by what it says: in a load that counts as no answer */
async function judged<T>(answer: Promise<Response>, isRight: (body: T) => boolean): Promise<Response> {
  const response = await answer
  if (!response.ok) return response
  const text = await response.clone().text()
  if (!isRight(JSON.parse(text) as T)) throw new Error(`a wrong answer: ${text}`)
  return response
}

/** Waits until a service knows whose a token is again. @returns after how many milliseconds */
export async function recovery(service: TestService, token: Pick<SignedIn, 'token'>): Promise<number> {
  const from = performance.now()
  await expect.poll(async () => (await me(service, token)).status, { timeout: 10_000, interval: 20 }).toBe(200)
  return performance.now() - from
}

/** Who a token is of. */
export function me({ request }: TestService, { token }: Pick<SignedIn, 'token'>): Promise<Response> {
  return request('/api/v1/auth/me', { token })
}
