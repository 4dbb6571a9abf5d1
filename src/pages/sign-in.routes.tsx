import { type Context, Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Env } from '../http/exchange.ts'
import type { Answer } from './calls.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, Notice, PasswordField } from './fields.tsx'
import { fieldsOf, safeNext, withQuery } from './forms.ts'
import { Page, view } from './layout.tsx'
import { leadTo } from './leaving.tsx'
import { mailedOnward, type OAuthRequest, oauthRequestOf, onwardOf, onwardUrl, queryOf } from './oauth-request.ts'
import { findBan } from './pages.queries.ts'
import { Providers } from './providers.tsx'
import { banned, explain } from './words.ts'

const notices = new Map(
  Object.entries({
    'session-ended': 'Your session has ended. Please sign in again.',
    'signed-out': 'You are signed out.',
    'password-set': 'Your new password is set. Please sign in with it.',
    verified: 'Your e-mail address is confirmed. Please sign in.',
    deleted: 'Your account is deleted.',
  }),
)

// One text for both: two would tell whether somebody has the address.
const wrongOrUnconfirmed =
  'This e-mail address and password do not belong together, or the address is not confirmed yet: then open the newest link that we have mailed you.'

/** `/sign-in`, with a password or a provider. */
export function signInRoutes(dependencies: PageDependencies) {
  const { brand, call, db, guards, ownForm, cookieName, confirmsAddresses } = dependencies
  const { optionalAuthenticate } = guards

  async function show(c: Context, state: FormState, { next, query }: Onward, notice?: string) {
    const request = await oauthRequestOf(c, call, query)
    const values = { email: request?.loginHint ?? '', remember: 'on', ...state.values }
    const props = { ...dependencies, state: { ...state, values }, next, request, notice }
    return view(c, <SignInPage {...props} />, { formTargets: request?.formTargets ?? [] })
  }

  /** What only this page can say of a refusal. */
  async function refusal({ code }: Answer, email: string): Promise<string | undefined> {
    if (code === 'BANNED_USER') return banned(await findBan(db, email))
    return code === 'INVALID_EMAIL_OR_PASSWORD' && confirmsAddresses ? wrongOrUnconfirmed : undefined
  }

  return new Hono<Env>()
    .get('/sign-in', optionalAuthenticate, async (c) => {
      const next = safeNext(c.req.query('next'))
      const query = queryOf(c)
      // Who is led here by an application, or has just confirmed an address, is to sign in, whoever they are now.
      const mustSignIn = c.req.query('sig') !== undefined || c.req.query('notice') === 'verified'
      if (c.var.principal && !mustSignIn) return leadTo(c, brand, next)
      const isOver = !c.var.principal && getCookie(c, cookieName) !== undefined
      return show(c, {}, { next, query }, notices.get(c.req.query('notice') ?? (isOver ? 'session-ended' : '')))
    })
    .post('/sign-in', ownForm, async (c) => {
      const { email = '', password = '', remember = '', next, oauth_query } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/sign-in/email', {
        email,
        password,
        rememberMe: remember === 'on',
        oauth_query,
        callbackURL: mailedOnward(next, oauth_query),
      })
      if (answer.isOk) return leadTo(c, brand, onwardUrl(answer, oauth_query) ?? safeNext(next))
      const problem = await refusal(answer, email)
      const state = problem === undefined ? explain(answer, ['email', 'password']) : { problem }
      return show(c, { ...state, values: { email, remember } }, { next: safeNext(next), query: oauth_query ?? '' })
    })
    .post('/sign-in/social', ownForm, async (c) => {
      const { provider = '', next, oauth_query } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/sign-in/social', {
        provider,
        callbackURL: onwardOf(next, oauth_query),
        errorCallbackURL: '/error',
        oauth_query,
      })
      const { url } = (answer.body ?? {}) as { url?: string }
      if (answer.isOk && url) return leadTo(c, brand, url)
      return show(c, explain(answer, []), { next: safeNext(next), query: oauth_query ?? '' })
    })
}

/** Where to go on after signing in: to a page of ours, or on with the request of an application. */
interface Onward {
  next: string
  query: string
}

interface SignInProps extends PageDependencies {
  state: FormState
  next: string
  request: OAuthRequest | undefined
  notice: string | undefined
}

function SignInPage({ brand, providers, signUpOpen, canSendMail, state, next, request, notice }: SignInProps) {
  const kept = { next: next === '/account' ? undefined : next, oauth_query: request?.query }
  return (
    <Page brand={brand} title="Sign in">
      <h1>Sign in</h1>
      {notice && <Notice kind="info">{notice}</Notice>}
      {request && <p>to go on to {request.client.name}</p>}
      <Form action="/sign-in" state={state} hidden={kept}>
        <EmailField state={state} autofocus />
        <PasswordField state={state} name="password" label="Password" />
        <label class="check">
          <input type="checkbox" name="remember" checked={state.values?.['remember'] === 'on'} />
          Stay signed in on this device
        </label>
        <button type="submit">Sign in</button>
      </Form>
      <Providers providers={providers} kept={kept} />
      <nav class="more">
        {canSendMail && <a href="/forgot-password">Forgot your password?</a>}
        {signUpOpen && (
          <a href={request ? `/sign-up?${request.query}` : withQuery('/sign-up', { next: kept.next })}>
            Create an account
          </a>
        )}
      </nav>
    </Page>
  )
}
