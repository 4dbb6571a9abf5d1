import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, NameField, NewPasswordField } from './fields.tsx'
import { faultsOf, fieldsOf, safeNext, withQuery } from './forms.ts'
import { Page, view } from './layout.tsx'
import { leadTo } from './leaving.tsx'
import { mailedOnward, type OAuthRequest, oauthRequestOf, onwardUrl, queryOf } from './oauth-request.ts'
import { Providers } from './providers.tsx'
import { explain } from './words.ts'

/** `/sign-up`, where that is open. */
export function signUpRoutes(dependencies: PageDependencies) {
  const { brand, call, guards, ownForm, signUpOpen } = dependencies

  async function show(c: Context, state: FormState, next: string, query: string) {
    const request = await oauthRequestOf(c, call, query)
    const props = { ...dependencies, state, next, request }
    return view(c, <SignUpPage {...props} />, { formTargets: request?.formTargets ?? [] })
  }

  return new Hono<Env>()
    .get('/sign-up', guards.optionalAuthenticate, async (c) => {
      if (!signUpOpen) throw new ProblemError('not-found', 'New accounts are made by an administrator here.')
      const next = safeNext(c.req.query('next'))
      const isRequest = c.req.query('sig') !== undefined
      return c.var.principal && !isRequest ? c.redirect(next, 303) : show(c, {}, next, queryOf(c))
    })
    .post('/sign-up', ownForm, async (c) => {
      const { name = '', email = '', password = '', next, oauth_query } = await fieldsOf(c)
      const retry = (state: FormState) =>
        show(c, { ...state, values: { name, email } }, safeNext(next), oauth_query ?? '')
      // Better-Auth tells the first fault only.
      const errors = faultsOf({ name, email, password }, brand.name)
      if (Object.keys(errors).length > 0) return retry({ errors })
      const callbackURL = mailedOnward(next, oauth_query)
      const fields = { name, email, password, oauth_query, callbackURL }
      const answer = await call(c, 'POST', '/api/auth/sign-up/email', fields)
      if (!answer.isOk) return retry(explain(answer, ['name', 'email', 'password']))
      const url = onwardUrl(answer, oauth_query)
      if (url !== undefined) return leadTo(c, brand, url)
      const { token } = answer.body as { token: string | null }
      // Without a session the address is to be confirmed first; the answer for one that is taken is the same.
      const sentPage = withQuery('/verify-email?sent', { next: callbackURL })
      return c.redirect(token === null ? sentPage : safeNext(next), 303)
    })
}

interface SignUpProps extends PageDependencies {
  state: FormState
  next: string
  request: OAuthRequest | undefined
}

function SignUpPage({ brand, providers, state, next, request }: SignUpProps) {
  const kept = { next: next === '/account' ? undefined : next, oauth_query: request?.query }
  return (
    <Page brand={brand} title="Create an account">
      <h1>Create an account</h1>
      <Form action="/sign-up" state={state} hidden={kept}>
        <NameField state={state} autofocus />
        <EmailField state={state} />
        <NewPasswordField state={state} name="password" label="Password" hint="Several words are easier to remember." />
        <button type="submit">Create account</button>
      </Form>
      <Providers providers={providers} kept={kept} />
      <nav class="more">
        <a href={request ? `/sign-in?${request.query}` : withQuery('/sign-in', { next: kept.next })}>
          I have an account already
        </a>
      </nav>
    </Page>
  )
}
