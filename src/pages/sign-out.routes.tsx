import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import type { PageDependencies } from './dependencies.ts'
import { Form } from './fields.tsx'
import { fieldsOf } from './forms.ts'
import { Page, view } from './layout.tsx'
import { formTargetsFor, leadTo } from './leaving.tsx'
import { isPostLogoutUri } from './pages.queries.ts'

const signedOut = '/sign-in?notice=signed-out'

/** Where an application wants people once they are signed out. @see OpenID Connect RP-Initiated Logout 1.0 section 2 */
type Onward = Record<'client_id' | 'post_logout_redirect_uri' | 'state', string | undefined>

/** `/sign-out`: where people are asked whether they want to leave, when an application leads them here. */
export function signOutRoutes({ brand, call, db, guards, ownForm }: PageDependencies) {
  /** The address to go on to, which must be one of the application's own. */
  async function targetOf({ client_id, post_logout_redirect_uri: uri, state }: Partial<Onward>) {
    if (!client_id || !uri || !(await isPostLogoutUri(db, client_id, uri))) return undefined
    const target = new URL(uri)
    if (state !== undefined) target.searchParams.set('state', state)
    return target.href
  }

  return new Hono<Env>()
    .get('/sign-out', guards.optionalAuthenticate, async (c) => {
      if (!c.var.authenticated) return c.redirect(signedOut, 303)
      const onward = onwardOf(c)
      const target = await targetOf(onward)
      const props = { brand, email: c.var.authenticated.user?.email ?? '', onward: target ? onward : undefined }
      return view(c, <SignOutPage {...props} />, { formTargets: target ? formTargetsFor(target) : [] })
    })
    .post('/sign-out', ownForm, async (c) => {
      const target = await targetOf(await fieldsOf(c))
      await call(c, 'POST', '/api/auth/sign-out', {})
      return leadTo(c, brand, target ?? signedOut)
    })
}

function onwardOf(c: Context): Onward {
  const [client_id, post_logout_redirect_uri, state] = ['client_id', 'post_logout_redirect_uri', 'state'].map((name) =>
    c.req.query(name),
  )
  return { client_id, post_logout_redirect_uri, state }
}

interface SignOutProps extends Pick<PageDependencies, 'brand'> {
  email: string
  onward: Onward | undefined
}

function SignOutPage({ brand, email, onward }: SignOutProps) {
  return (
    <Page brand={brand} title="Sign out">
      <h1>Sign out?</h1>
      <p>
        You are signed in as <strong>{email}</strong>. An application asks to sign you out here, and of all applications
        that you use with this account in this browser.
      </p>
      <Form action="/sign-out" hidden={onward ?? {}}>
        <button type="submit">Sign out</button>
      </Form>
      <nav class="more">
        <a href="/account">Stay signed in</a>
      </nav>
    </Page>
  )
}
