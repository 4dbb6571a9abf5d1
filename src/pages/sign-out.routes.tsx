import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { PageDependencies } from './dependencies.ts'
import { Form, type FormState } from './fields.tsx'
import { fieldsOf } from './forms.ts'
import { Page, view } from './layout.tsx'
import { formTargetsFor, leadTo } from './leaving.tsx'
import { isPostLogoutUri } from './pages.queries.ts'
import { explain } from './words.ts'

const signedOut = '/sign-in?notice=signed-out'

/** Where an application wants people once they are signed out. @see OpenID Connect RP-Initiated Logout 1.0 section 2 */
type Onward = Record<'client_id' | 'post_logout_redirect_uri' | 'state', string | undefined>

/** `/sign-out`: where people are asked whether they want to leave, when an application leads them here. */
export function signOutRoutes({ brand, call, db, guards, ownForm }: PageDependencies) {
  /** The address to go on to, which must be one of the application's own. */
  async function targetOf({ client_id, post_logout_redirect_uri: uri, state }: Onward) {
    if (!client_id || !uri || !(await isPostLogoutUri(db, client_id, uri))) return undefined
    const target = new URL(uri)
    if (state !== undefined) target.searchParams.set('state', state)
    return target.href
  }

  async function show(c: Context, email: string, onward: Onward, state: FormState) {
    const target = await targetOf(onward)
    const props = { brand, email, onward: target ? onward : undefined, state }
    return view(c, <SignOutPage {...props} />, { formTargets: target ? formTargetsFor(target) : [] })
  }

  return new Hono<Env>()
    .get('/sign-out', guards.optionalAuthenticate, async (c) => {
      const onward = onwardOf(c.req.query())
      if (!c.var.authenticated) return c.redirect((await targetOf(onward)) ?? signedOut, 303)
      return show(c, c.var.authenticated.user?.email ?? '', onward, {})
    })
    .post('/sign-out', ownForm, async (c) => {
      const onward = onwardOf(await fieldsOf(c))
      const answer = await call(c, 'POST', '/api/auth/sign-out', {})
      const me = answer.isOk ? undefined : await call(c, 'GET', '/api/v1/auth/me')
      if (!me || me.status === 401) return leadTo(c, brand, (await targetOf(onward)) ?? signedOut)
      if (!me.isOk) throw new ProblemError('dependency-unavailable')
      return show(c, (me.body as { email: string }).email, onward, explain(answer, []))
    })
}

function onwardOf({ client_id, post_logout_redirect_uri, state }: Record<string, string>): Onward {
  return { client_id, post_logout_redirect_uri, state }
}

interface SignOutProps extends Pick<PageDependencies, 'brand'> {
  email: string
  onward: Onward | undefined
  state: FormState
}

function SignOutPage({ brand, email, onward, state }: SignOutProps) {
  return (
    <Page brand={brand} title="Sign out">
      <h1>Sign out?</h1>
      <p>
        You are signed in as <strong>{email}</strong>.{' '}
        {onward
          ? 'An application asks to sign you out here, and of all applications that you use with this account in this browser.'
          : 'You are signed out here, and of all applications that you use with this account in this browser.'}
      </p>
      <Form action="/sign-out" state={state} hidden={onward ?? {}}>
        <button type="submit">Sign out</button>
      </Form>
      <nav class="more">
        <a href="/account">Stay signed in</a>
      </nav>
    </Page>
  )
}
