import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, NameField, NewPasswordField } from './fields.tsx'
import { fieldsOf, safeNext, withQuery } from './forms.ts'
import { Page, view } from './layout.tsx'
import { Providers } from './sign-in.routes.tsx'
import { explain } from './words.ts'

/** `/sign-up`, where that is open. */
export function signUpRoutes(dependencies: PageDependencies) {
  const { call, guards, ownForm, providers, signUpOpen } = dependencies

  function show(c: Context, state: FormState, next: string) {
    const formTargets = providers.map(({ origin }) => origin)
    return view(c, <SignUpPage {...dependencies} state={state} next={next} />, { formTargets })
  }

  return new Hono<Env>()
    .get('/sign-up', guards.optionalAuthenticate, (c) => {
      if (!signUpOpen) throw new ProblemError('not-found', 'New accounts are made by an administrator here.')
      const next = safeNext(c.req.query('next'))
      return c.var.principal ? c.redirect(next, 303) : show(c, {}, next)
    })
    .post('/sign-up', ownForm, async (c) => {
      const { name = '', email = '', password = '', next } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/sign-up/email', { name, email, password })
      if (!answer.isOk) {
        const values = { name, email }
        return show(c, { ...explain(answer, ['name', 'email', 'password']), values }, safeNext(next))
      }
      const { token } = answer.body as { token: string | null }
      // Without a session the address is to be confirmed first; the answer for one that is taken is the same.
      return c.redirect(token === null ? '/verify-email?sent' : safeNext(next), 303)
    })
}

interface SignUpProps extends PageDependencies {
  state: FormState
  next: string
}

function SignUpPage({ brand, providers, state, next }: SignUpProps) {
  const kept = next === '/account' ? undefined : next
  return (
    <Page brand={brand} title="Create an account">
      <h1>Create an account</h1>
      <Form action="/sign-up" state={state} hidden={{ next: kept }}>
        <NameField state={state} autofocus />
        <EmailField state={state} />
        <NewPasswordField state={state} name="password" label="Password" hint="Several words are easier to remember." />
        <button type="submit">Create account</button>
      </Form>
      <Providers providers={providers} next={kept} />
      <nav class="more">
        <a href={withQuery('/sign-in', { next: kept })}>I have an account already</a>
      </nav>
    </Page>
  )
}
