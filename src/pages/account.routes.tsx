import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import { AccountPage, type AccountState } from './account.tsx'
import type { Account, Grant, Session, User } from './account-data.ts'
import type { Answer } from './calls.ts'
import type { PageDependencies } from './dependencies.ts'
import type { FormState } from './fields.tsx'
import { fieldsOf, withQuery } from './forms.ts'
import { view } from './layout.tsx'
import { leadTo } from './leaving.tsx'
import { explain } from './words.ts'

const forms = ['profile', 'email', 'password', 'sessions', 'link', 'unlink', 'disconnect', 'delete', 'return']

/** `/account`: what people see and change of their own account, all of it through the two APIs. */
export function accountRoutes(dependencies: PageDependencies) {
  const { brand, call, guards, ownForm } = dependencies

  async function show(c: Context, state: AccountState) {
    const answers = await Promise.all(
      ['/auth/session', '/auth/accounts', '/users/me/sessions?limit=100&include=total', '/users/me/grants'].map(
        (path) => call(c, 'GET', `/api/v1${path}`),
      ),
    )
    const failed = answers.find(({ isOk }) => !isOk)
    if (failed) return refusal(c, failed)
    const [{ session, user }, accounts, sessions, grants] = answers.map(({ body }) => body) as [
      { session: Session; user: User },
      { data: Account[] },
      { data: Session[]; total: { value: number } },
      { data: Grant[] },
    ]
    const props = {
      user,
      session,
      accounts: accounts.data,
      otherSessions: sessions.data.filter(({ current }) => !current),
      countSessions: sessions.total.value,
      grants: grants.data,
      state,
    }
    return view(c, <AccountPage {...dependencies} {...props} />)
  }

  /** Goes back to the page with a notice, or shows what is wrong beside the form of that name. */
  async function done(c: Context, answer: Answer, form: keyof AccountState, fields: string[], values = {}) {
    if (answer.isOk) return c.redirect(withQuery('/account', { notice: form }), 303)
    if (answer.status === 401) return refusal(c, answer)
    const state: FormState = { ...explain(answer, fields), values }
    return show(c, { [form]: state })
  }

  const app = new Hono<Env>()
  app.get('/account', guards.optionalAuthenticate, async (c) => {
    if (!c.var.principal) return c.redirect('/sign-in', 303)
    const notice = c.req.query('notice')
    return show(c, notice === undefined ? {} : { notice })
  })
  // Where a form with errors was shown: whoever opens that again wants the page.
  app.get(`/account/:form{${forms.join('|')}}`, (c) => c.redirect('/account', 303))
  return app
    .post('/account/profile', ownForm, async (c) => {
      const { name = '' } = await fieldsOf(c)
      return done(c, await call(c, 'PATCH', '/api/v1/users/me', { name }), 'profile', ['name'], { name })
    })
    .post('/account/email', ownForm, async (c) => {
      const { newEmail = '', password } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/change-email', { newEmail, password })
      return done(c, answer, 'email', ['newEmail', 'password'], { newEmail })
    })
    .post('/account/password', ownForm, async (c) => {
      const { currentPassword = '', newPassword = '' } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/change-password', { currentPassword, newPassword })
      return done(c, renamed(answer), 'password', ['currentPassword', 'newPassword'])
    })
    .post('/account/sessions', ownForm, async (c) => {
      const { id } = await fieldsOf(c)
      const path =
        id === undefined ? '/users/me/sessions?keepCurrent=true' : `/users/me/sessions/${encodeURIComponent(id)}`
      const answer = await call(c, 'DELETE', `/api/v1${path}`)
      if (answer.isOk && id === undefined) return c.redirect('/account?notice=other-sessions', 303)
      return done(c, answer, 'sessions', [])
    })
    .post('/account/link', ownForm, async (c) => {
      const { provider } = await fieldsOf(c)
      const callbackURL = '/account?notice=link'
      const answer = await call(c, 'POST', '/api/auth/link-social', {
        provider,
        callbackURL,
        errorCallbackURL: '/error?adding',
      })
      const { url } = (answer.body ?? {}) as { url?: string }
      return answer.isOk && url ? leadTo(c, brand, url) : done(c, answer, 'link', [])
    })
    .post('/account/unlink', ownForm, async (c) => {
      const { id } = await fieldsOf(c)
      return done(c, await call(c, 'POST', '/api/auth/unlink-account', { accountId: id }), 'unlink', [])
    })
    .post('/account/disconnect', ownForm, async (c) => {
      const { clientId = '' } = await fieldsOf(c)
      const answer = await call(c, 'DELETE', `/api/v1/users/me/grants/${encodeURIComponent(clientId)}`)
      return done(c, answer, 'disconnect', [])
    })
    .post('/account/delete', ownForm, async (c) => {
      const { password } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/delete-user', { password })
      return answer.isOk ? c.redirect('/sign-in?notice=deleted', 303) : done(c, answer, 'delete', ['password'])
    })
    .post('/account/return', ownForm, async (c) => {
      const answer = await call(c, 'POST', '/api/auth/admin/stop-impersonating', {})
      return done(c, answer, 'return', [])
    })
}

/** Sends whoever is signed in no more to sign in again. @throws ProblemError for any other reason */
function refusal(c: Context, { status, message }: Answer) {
  // A session that has just ended is not found.
  if (status === 401 || status === 404) return c.redirect('/sign-in', 303)
  throw new ProblemError(status === 503 ? 'dependency-unavailable' : 'internal', message)
}

/** Better-Auth calls a wrong current password an invalid one, as it calls one that does not belong to an address. */
function renamed(answer: Answer): Answer {
  return answer.code === 'INVALID_PASSWORD' ? { ...answer, code: 'WRONG_CURRENT_PASSWORD' } : answer
}
