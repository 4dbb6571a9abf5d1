import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Form, type FormState, NewPasswordField, Notice } from './fields.tsx'
import { fieldsOf } from './forms.ts'
import { Page, view } from './layout.tsx'
import { explain } from './words.ts'

/** `/forgot-password`, and `/reset-password`, where the mailed link leads. */
export function passwordRoutes({ brand, call, ownForm }: PageDependencies) {
  /** Whether a link is good; where that cannot be told the form tells it later. */
  async function isGood(c: Context, token: string): Promise<boolean> {
    const { isOk, status, body } = await call(c, 'POST', '/api/auth/reset-password/check', { token })
    return isOk ? (body as { status: boolean }).status : status !== 400
  }

  return new Hono<Env>()
    .get('/forgot-password', (c) => view(c, <ForgotPage brand={brand} state={{}} />))
    .post('/forgot-password', ownForm, async (c) => {
      const { email = '' } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/request-password-reset', { email })
      if (answer.isOk) return c.redirect('/forgot-password/sent', 303)
      const state = { ...explain(answer, ['email']), values: { email } }
      return view(c, <ForgotPage brand={brand} state={state} />)
    })
    .get('/forgot-password/sent', (c) => view(c, <SentPage brand={brand} />))
    .get('/reset-password', async (c) => {
      const given = c.req.query('token')
      const token = given !== undefined && (await isGood(c, given)) ? given : undefined
      const state = token === undefined ? { problem: unusable } : {}
      return view(c, <ResetPage brand={brand} token={token} state={state} />)
    })
    .post('/reset-password', ownForm, async (c) => {
      const { token, newPassword = '' } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/reset-password', { token, newPassword })
      if (answer.isOk) return c.redirect('/sign-in?notice=password-set', 303)
      const state = explain(answer, ['newPassword'])
      return view(c, <ResetPage brand={brand} token={token} state={state} />)
    })
}

const unusable = 'This link is not complete, was used already, or has expired. Ask for a new one.'

type Branded = Pick<PageDependencies, 'brand'>

function ForgotPage({ brand, state }: Branded & { state: FormState }) {
  return (
    <Page brand={brand} title="Reset your password">
      <h1>Reset your password</h1>
      <p>Give the address of your account. You are sent a link with which to choose a new password.</p>
      <Form action="/forgot-password" state={state}>
        <EmailField state={state} autofocus />
        <button type="submit">Send the link</button>
      </Form>
      <nav class="more">
        <a href="/sign-in">Back to sign-in</a>
      </nav>
    </Page>
  )
}

function SentPage({ brand }: Branded) {
  return (
    <Page brand={brand} title="Look into your mail">
      <h1>Look into your mail</h1>
      <Notice kind="good">If there is an account with this address, open the newest link in its mail.</Notice>
      <p>
        A link works once, within one hour, in which three at most are sent. If nothing arrives, look among the unwanted
        mail.
      </p>
      <nav class="more">
        <a href="/forgot-password">Try another address</a>
        <a href="/sign-in">Back to sign-in</a>
      </nav>
    </Page>
  )
}

function ResetPage({ brand, token, state }: Branded & { token: string | undefined; state: FormState }) {
  return (
    <Page brand={brand} title="Choose a new password">
      <h1>Choose a new password</h1>
      <Form action="/reset-password" state={state} hidden={{ token }}>
        {token !== undefined && (
          <>
            <NewPasswordField
              state={state}
              name="newPassword"
              label="New password"
              hint="Wherever you are signed in now, you are signed out."
              autofocus
            />
            <button type="submit">Set the password</button>
          </>
        )}
      </Form>
      <nav class="more">
        <a href="/forgot-password">Ask for a new link</a>
      </nav>
    </Page>
  )
}
