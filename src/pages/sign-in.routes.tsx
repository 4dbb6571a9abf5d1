import { type Context, Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Env } from '../http/exchange.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, Notice, PasswordField } from './fields.tsx'
import { fieldsOf, safeNext, withQuery } from './forms.ts'
import { Page, view } from './layout.tsx'
import { findBan } from './pages.queries.ts'
import { explain } from './words.ts'

const notices = new Map(
  Object.entries({
    'session-ended': 'Your session has ended. Please sign in again.',
    'signed-out': 'You are signed out.',
    'password-set': 'Your new password is set. Please sign in with it.',
    verified: 'Your e-mail address is confirmed. Please sign in.',
    deleted: 'Your account is deleted.',
  }),
)

/** `/sign-in` and `/sign-out`. */
export function signInRoutes(dependencies: PageDependencies) {
  const { call, db, guards, ownForm, cookieName } = dependencies
  const { optionalAuthenticate } = guards

  function show(c: Context, state: FormState, next: string, notice?: string) {
    const formTargets = dependencies.providers.map(({ origin }) => origin)
    return view(c, <SignInPage {...dependencies} state={state} next={next} notice={notice} />, { formTargets })
  }

  return new Hono<Env>()
    .get('/sign-in', optionalAuthenticate, (c) => {
      const next = safeNext(c.req.query('next'))
      if (c.var.principal) return c.redirect(next, 303)
      const isOver = getCookie(c, cookieName) !== undefined
      return show(c, {}, next, notices.get(c.req.query('notice') ?? (isOver ? 'session-ended' : '')))
    })
    .post('/sign-in', ownForm, async (c) => {
      const { email = '', password = '', remember, next } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/sign-in/email', {
        email,
        password,
        rememberMe: remember === 'on',
      })
      if (answer.isOk) return c.redirect(safeNext(next), 303)
      const state =
        answer.code === 'BANNED_USER' ? banned(await findBan(db, email)) : explain(answer, ['email', 'password'])
      return show(c, { ...state, values: { email } }, safeNext(next))
    })
    .post('/sign-in/social', ownForm, async (c) => {
      const { provider = '', next } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/sign-in/social', {
        provider,
        callbackURL: safeNext(next),
        errorCallbackURL: '/error',
      })
      const { url } = (answer.body ?? {}) as { url?: string }
      if (answer.isOk && url) return c.redirect(url, 303)
      return show(c, explain(answer, []), safeNext(next))
    })
    .post('/sign-out', ownForm, async (c) => {
      await call(c, 'POST', '/api/auth/sign-out', {})
      return c.redirect('/sign-in?notice=signed-out', 303)
    })
}

function banned(ban: { reason: string | null; expires: Date | null } | undefined): FormState {
  const until = ban?.expires ? ` until ${ban.expires.toUTCString()}` : ''
  const why = ban?.reason ? ` The reason: ${ban.reason}` : ''
  return { problem: `This account is banned${until}.${why}` }
}

interface SignInProps extends PageDependencies {
  state: FormState
  next: string
  notice: string | undefined
}

function SignInPage({ brand, providers, signUpOpen, canSendMail, state, next, notice }: SignInProps) {
  const kept = next === '/account' ? undefined : next
  return (
    <Page brand={brand} title="Sign in">
      <h1>Sign in</h1>
      {notice && <Notice kind="info">{notice}</Notice>}
      <Form action="/sign-in" state={state} hidden={{ next: kept }}>
        <EmailField state={state} autofocus />
        <PasswordField state={state} name="password" label="Password" />
        <label class="check">
          <input type="checkbox" name="remember" checked />
          Stay signed in on this device
        </label>
        <button type="submit">Sign in</button>
      </Form>
      <Providers providers={providers} next={kept} />
      <nav class="more">
        {canSendMail && <a href="/forgot-password">Forgot your password?</a>}
        {signUpOpen && <a href={withQuery('/sign-up', { next: kept })}>Create an account</a>}
      </nav>
    </Page>
  )
}

/** A button for each provider that is configured. */
export function Providers({ providers, next }: Pick<PageDependencies, 'providers'> & { next: string | undefined }) {
  if (providers.length === 0) return null
  return (
    <div class="providers">
      <p class="or">or</p>
      {providers.map(({ id, name }) => (
        <Form action="/sign-in/social" hidden={{ provider: id, next }}>
          <button type="submit" class="quiet">
            Continue with {name}
          </button>
        </Form>
      ))}
    </div>
  )
}
