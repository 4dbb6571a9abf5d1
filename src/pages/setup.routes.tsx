import { type Context, Hono } from 'hono'
import { noteAudit } from '../db/audit-context.ts'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, NameField, NewPasswordField, Notice } from './fields.tsx'
import { faultsOf, fieldsOf } from './forms.ts'
import { Page, view } from './layout.tsx'

/** `/setup`: where the link of the log leads, as long as there is no admin. */
export function setupRoutes({ brand, setup, ownForm, call }: PageDependencies) {
  async function show(c: Context, token: string, state: FormState) {
    const isGood = await setup.isGood(token)
    return view(c, <SetupPage brand={brand} token={token} isGood={isGood} state={state} />)
  }

  async function assertOpen() {
    if (!(await setup.isOpen())) throw new ProblemError('not-found', 'There is an administrator already.')
  }

  return new Hono<Env>()
    .get('/setup', async (c) => {
      await assertOpen()
      return show(c, c.req.query('token') ?? '', {})
    })
    .post('/setup', ownForm, async (c) => {
      await assertOpen()
      const { token = '', name = '', email = '', password = '' } = await fieldsOf(c)
      const values = { name, email }
      const errors = faultsOf({ name, email, password }, brand.name)
      if (Object.keys(errors).length > 0) return show(c, token, { values, errors })
      // The link proves who it is.
      noteAudit({ proves: true })
      try {
        await setup.complete(token, { name, email: email.toLowerCase(), password })
      } catch (error) {
        if (!(error instanceof ProblemError) || error.status >= 500) throw error
        return show(c, token, { values, problem: error.message })
      }
      const { isOk } = await call(c, 'POST', '/api/auth/sign-in/email', { email, password })
      return c.redirect(isOk ? '/account' : '/sign-in', 303)
    })
}

interface SetupProps extends Pick<PageDependencies, 'brand'> {
  token: string
  isGood: boolean
  state: FormState
}

function SetupPage({ brand, token, isGood, state }: SetupProps) {
  return (
    <Page brand={brand} title="Set up">
      <h1>Make the first administrator</h1>
      {token === '' && (
        <Notice kind="info">Open the link that the service has written to its log when it started.</Notice>
      )}
      {token !== '' && !isGood && (
        <Notice kind="bad">
          This link was used already, or has expired. Restart the service: it writes a new one to its log.
        </Notice>
      )}
      {isGood && (
        <Form action="/setup" state={state} hidden={{ token }}>
          <NameField state={state} autofocus />
          <EmailField state={state} />
          <NewPasswordField
            state={state}
            name="password"
            label="Password"
            hint="Several words are easier to remember."
          />
          <button type="submit">Create the administrator</button>
        </Form>
      )}
    </Page>
  )
}
