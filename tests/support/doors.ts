import { randomUUID } from 'node:crypto'
import { password, type SignedIn, type TestService } from './harness.ts'

/** What somebody does through one of the two doors of the service: the API, or Better-Auth's own endpoints. */
export interface Answer {
  status: number
  /** The type of a problem without `/problems/`, or Better-Auth's code; undefined for a success. */
  refusal: string | undefined
  body: Record<string, unknown>
  cookies: string[]
}

export interface Doors {
  /** Calls `/api/v1` with a token. */
  v1: (caller: { token: string }, method: string, path: string, json?: unknown) => Promise<Answer>
  /** Posts to `/api/auth` with a cookie. */
  auth: (caller: { cookie: string }, path: string, json?: unknown) => Promise<Answer>
  /** Whom a credential opens `/api/v1` for: an id, or the problem. */
  whois: (credential: { token: string } | { cookie: string }) => Promise<string>
  /** The same according to Better-Auth's own session endpoint: an id, or undefined. */
  sessionUser: (caller: { cookie: string }) => Promise<string | undefined>
  /** Signs in with a password. */
  signInWith: (email: string, password: string) => Promise<Answer>
  /** A user with a password, signed in. */
  createMember: (role?: string) => Promise<SignedIn>
  /** All that there is of a user, and who else there is. */
  rowsOf: (id: string) => Promise<Record<'user' | 'sessions' | 'accounts' | 'users', unknown[]>>
  /** The user, session and JWT behind a session cookie; throws where the session has ended. */
  open: (cookie: string) => Promise<SignedIn>
}

export async function createDoors(service: TestService): Promise<Doors> {
  const { request, db } = service
  const hash = await (await service.services.auth.$context).password.hash(password)

  async function answer(response: Response): Promise<Answer> {
    const text = await response.text()
    const body = (text === '' ? {} : (JSON.parse(text) ?? {})) as Record<string, unknown>
    const refusal = response.ok ? undefined : String(body['type'] ?? body['code']).replace('/problems/', '')
    return { status: response.status, refusal, body, cookies: response.headers.getSetCookie() }
  }

  return {
    v1: async ({ token }, method, path, json) => answer(await request(`/api/v1${path}`, { token, method, json })),
    auth: async ({ cookie }, path, json = {}) => answer(await request(`/api/auth${path}`, { cookie, json })),
    async whois(credential) {
      const { refusal, body } = await answer(await request('/api/v1/auth/me', credential))
      return refusal ?? String(body['id'])
    },
    async sessionUser({ cookie }) {
      const { body } = await answer(await request('/api/auth/get-session', { cookie }))
      return (body['user'] as { id: string } | undefined)?.id
    },
    async signInWith(email, given) {
      // Node's fetch says that it is one, and Better-Auth then wants to know from where.
      const headers = { origin: service.baseUrl }
      return answer(await request('/api/auth/sign-in/email', { headers, json: { email, password: given } }))
    },
    async createMember(role = 'user') {
      const user = await service.createUser({ role })
      const account = { id: randomUUID(), account_id: user.id, provider_id: 'credential', user_id: user.id }
      await db
        .insertInto('account')
        .values({ ...account, password: hash, updated_at: new Date() })
        .execute()
      return service.signIn(user)
    },
    async rowsOf(id) {
      return {
        user: await db.selectFrom('user').selectAll().where('id', '=', id).execute(),
        sessions: await db.selectFrom('session').selectAll().where('user_id', '=', id).orderBy('id').execute(),
        accounts: await db.selectFrom('account').selectAll().where('user_id', '=', id).orderBy('id').execute(),
        users: await db.selectFrom('user').select('id').orderBy('id').execute(),
      }
    },
    async open(cookie) {
      const { body } = await answer(await request('/api/auth/get-session', { cookie }))
      const { user, session } = body as { user: { id: string; email: string }; session: { id: string } }
      const { token } = (await answer(await request('/api/auth/token', { cookie }))).body
      if (typeof token !== 'string') throw new Error('the session has ended')
      return { id: user.id, email: user.email, sessionId: session.id, cookie, token }
    },
  }
}

/** The session token in a signed session cookie. */
export function sessionTokenOf({ cookie }: { cookie: string }): string {
  const value = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1))
  return value.slice(0, value.lastIndexOf('.'))
}

/** The session cookie that a response set, as a browser would send it back. */
export function sessionCookieIn({ cookies }: Answer): string {
  const set = cookies.find((cookie) => /session_token=[^;]/.test(cookie))
  if (!set) throw new Error('no session cookie was set')
  return set.slice(0, set.indexOf(';'))
}
