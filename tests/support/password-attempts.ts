import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, onTestFinished, vi } from 'vitest'
import { password, type TestService, type TestUser } from './harness.ts'

/** Limits are on, none by address is reached, and whoever asks says where they are. */
export const limited = { RATE_LIMIT: '9999999', TRUSTED_PROXIES: '127.0.0.1' }

export const wrong = 'not the password'

let last = 0
/** An address from which nothing has come yet. */
export function newAddress(): string {
  last++
  return `198.18.${last >> 8}.${last & 255}`
}

/** What came of an attempt. */
export interface Outcome {
  status: number
  code: string | undefined
  retryAfter: string | null
}

export const right: Outcome = { status: 200, code: undefined, retryAfter: null }
export const mistaken: Outcome = { status: 401, code: 'INVALID_EMAIL_OR_PASSWORD', retryAfter: null }
/** In a window of 900 seconds that has just begun. */
export const refused: Outcome = {
  status: 429,
  code: 'RATE_LIMITED',
  retryAfter: expect.stringMatching(/^(900|[678]\d\d)$/) as string,
}

/** So often the same. */
export const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one)

/** Does things one after another. */
export async function inTurn<T>(count: number, act: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let n = 0; n < count; n++) results.push(await act(n))
  return results
}

/** Tries passwords of a service's accounts. */
export function createGuesser(service: TestService) {
  return {
    /** Somebody with the usual password. */
    async createOwner(): Promise<TestUser> {
      const email = `${randomUUID()}@example.com`
      const given = { email, password, name: 'Ada', role: 'user', emailVerified: true }
      return { email, id: await service.services.userAccounts.create(given) }
    },
    /** Signs in from an address, by default one from which nothing has come. */
    async signIn(email: string, secret: string, from = newAddress()): Promise<Outcome> {
      const headers = { origin: service.baseUrl, 'x-forwarded-for': from }
      return outcomeOf(await service.request('/api/auth/sign-in/email', { headers, json: { email, password: secret } }))
    },
    /** Counts the passwords that are hashed from now on, for somebody or for nobody, but for those that there was no time for. */
    async countHashed(): Promise<() => number> {
      const { password: passwords } = await service.services.auth.$context
      const [verify, hash] = [vi.spyOn(passwords, 'verify'), vi.spyOn(passwords, 'hash')]
      onTestFinished(() => {
        verify.mockRestore()
        hash.mockRestore()
      })
      return () =>
        [...verify.mock.settledResults, ...hash.mock.settledResults].filter(({ type }) => type === 'fulfilled').length
    },
    /** Lets all windows end in so many seconds. */
    async endWindows(seconds: number): Promise<void> {
      await sql`update password_attempt set ends_at = now() + ${seconds} * interval '1 second'`.execute(service.db)
    },
  }
}

/** What an answer of `/api/auth` says. */
export async function outcomeOf(response: Response): Promise<Outcome> {
  const { code } = (await response.json()) as { code?: string }
  return { status: response.status, code, retryAfter: response.headers.get('retry-after') }
}
