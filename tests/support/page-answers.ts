import type { Context } from 'hono'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { ProblemError } from '../../src/http/problem.ts'
import type { Answer } from '../../src/pages/calls.ts'
import type { PageDependencies } from '../../src/pages/dependencies.ts'
import { pagesRoutes } from '../../src/pages/pages.routes.tsx'

export type Given = Partial<PageDependencies> & { isSignedIn?: boolean }
/** What is answered, by the end of the path; `ok` otherwise. */
type Answers = Record<string, Partial<Answer>>

const passes = createMiddleware((_, next) => next())
const ok: Answer = { status: 200, isOk: true, code: undefined, message: '', body: {}, retryAfter: undefined }
export const refused = (status: number, code?: string): Partial<Answer> => ({
  status,
  isOk: false,
  code,
  body: { code },
})
export const user = { id: 'u', name: 'Ada', email: 'ada@example.com', emailVerified: true, role: 'user' }
const session = { id: 's', current: true, createdAt: '2026-01-01T00:00:00Z', expiresAt: '2026-01-31T00:00:00Z' }
const own: Answers = {
  '/auth/session': { body: { user, session: { ...session, impersonatedBy: null } } },
  '/auth/accounts': { body: { data: [{ id: 'a', providerId: 'credential', accountId: 'u' }] } },
  '/users/me/sessions?limit=100&include=total': { body: { data: [], total: { value: 1 } } },
  '/users/me/grants': { body: { data: [] } },
}

/** The pages of a service whose APIs answer so, and what they were asked. */
export function pagesWith(answers: Answers, { isSignedIn = false, ...given }: Given = {}) {
  const asked: unknown[] = []
  const known: Answers = { ...own, ...answers }
  const call = (_c: Context, method: string, path: string, json?: object) => {
    asked.push([method, path, json])
    const end = Object.keys(known).find((part) => path.endsWith(part))
    return Promise.resolve({ ...ok, ...(end !== undefined && known[end]) })
  }
  const who = { principal: { subject: 'u', impersonatedBy: null }, user }
  const optionalAuthenticate = createMiddleware(async (c, next) => {
    if (isSignedIn) for (const [name, value] of Object.entries({ ...who, authenticated: who })) c.set(name, value)
    await next()
  })
  const dependencies = {
    brand: { name: 'Latchkey', color: { light: '#2b53c4', dark: '#8ea8ff' } },
    call,
    guards: { optionalAuthenticate },
    ownForm: passes,
    cookieName: 'session',
    banNotices: { cookieName: 'ban', open: () => Promise.resolve(undefined) },
    setup: { isOpen: () => Promise.resolve(true), isGood: (token: string) => Promise.resolve(token === 'good') },
    providers: [],
    signUpOpen: true,
    canSendMail: true,
    confirmsAddresses: false,
    ...given,
  } as unknown as PageDependencies
  const app = new Hono().route('/', pagesRoutes(dependencies))
  app.onError((error, c) => {
    if (!(error instanceof ProblemError)) return c.text('unknown', 500)
    return c.text(error.slug, error.status)
  })
  return {
    asked,
    async open(path: string, headers: Record<string, string> = {}) {
      return sightOf(await app.request(path, { headers }))
    },
    async submit(path: string, fields: Record<string, string> = {}) {
      const body = new URLSearchParams(fields).toString()
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }
      return sightOf(await app.request(path, { method: 'POST', headers, body }))
    },
  }
}

async function sightOf(response: Response) {
  return { status: response.status, to: response.headers.get('location'), html: await response.text() }
}
