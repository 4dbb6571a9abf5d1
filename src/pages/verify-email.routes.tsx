import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import type { Answer } from './calls.ts'
import type { PageDependencies } from './dependencies.ts'
import { EmailField, Field, Form, type FormState, Notice } from './fields.tsx'
import { fieldsOf, withQuery } from './forms.ts'
import { Page, view } from './layout.tsx'
import { leadTo } from './leaving.tsx'
import { explain } from './words.ts'

/**
 * `/verify-email`: where the mailed link leads. Opening it changes nothing, because programs that look for harm in a mail
 * open its links too; pressing the button does.
 */
export function verifyEmailRoutes({ brand, call, ownForm, providers }: PageDependencies) {
  function show(c: Context, state: FormState, next: string | undefined) {
    return view(c, <AskPage brand={brand} state={state} next={next} />)
  }

  return new Hono<Env>()
    .get('/verify-email', (c) => {
      const { token, next, change, email = '' } = c.req.query()
      if (change !== undefined) {
        return view(c, <ConfirmPage brand={brand} hidden={{ change, email }} action="/verify-email/change" />)
      }
      if (token !== undefined)
        return view(c, <ConfirmPage brand={brand} hidden={{ token, next }} action="/verify-email" />)
      return c.req.query('sent') === undefined ? show(c, {}, next) : view(c, <SentPage brand={brand} next={next} />)
    })
    .post('/verify-email', ownForm, async (c) => {
      const { token = '', password, next: asked } = await fieldsOf(c)
      const next = asked || undefined
      const answer = await call(c, 'POST', '/api/auth/verify-email', { token, password, callbackURL: next })
      const props = { brand, hidden: { token, next } }
      const state = explain(answer, ['password'])
      switch (outcomeOf(answer, state, password !== undefined)) {
        case 'confirmed':
          return leadTo(c, brand, onwardTo(next))
        case 'confirmed before':
          return view(c, <ConfirmedPage brand={brand} onward={onwardTo(next)} />)
        case 'password needed':
          return view(c, <PasswordPage {...props} providers={providers} />)
        case 'password again':
          return view(c, <PasswordPage {...props} state={state} providers={providers} />)
        case 'click again':
          return view(c, <ConfirmPage {...props} state={state} action="/verify-email" />)
        case 'link of no use':
          return show(c, state, mayLeadOn(answer) ? next : undefined)
      }
    })
    .post('/verify-email/change', ownForm, async (c) => {
      const { change: token = '', email: newEmail = '' } = await fieldsOf(c)
      const answer = await call(c, 'POST', '/api/auth/change-email/confirm', { token, newEmail })
      if (answer.isOk) return c.redirect('/account?notice=email-changed', 303)
      const { problem = '' } = explain(answer, [])
      if (mayWorkYet(answer)) {
        const hidden = { change: token, email: newEmail }
        return view(c, <ConfirmPage brand={brand} state={{ problem }} hidden={hidden} action="/verify-email/change" />)
      }
      if (answer.status !== 401) return view(c, <FailedPage brand={brand} problem={problem} />)
      return c.redirect(
        withQuery('/sign-in', { next: withQuery('/verify-email', { change: token, email: newEmail }) }),
        303,
      )
    })
    .post('/verify-email/resend', ownForm, async (c) => {
      const { email = '', next: asked } = await fieldsOf(c)
      const next = asked || undefined
      const answer = await call(c, 'POST', '/api/auth/send-verification-email', { email, callbackURL: next })
      if (answer.isOk) return c.redirect(withQuery('/verify-email?sent', { next }), 303)
      return show(c, { ...explain(answer, ['email']), values: { email } }, mayLeadOn(answer) ? next : undefined)
    })
}

/** Where people go on once their address is confirmed: to sign in, or back to the trusted front end that they come from. */
function onwardTo(next: string | undefined): string {
  if (next && !next.startsWith('/')) return next
  return withQuery('/sign-in', { notice: 'verified', next })
}

type Outcome =
  | 'confirmed'
  | 'confirmed before'
  | 'password needed'
  | 'password again'
  | 'click again'
  | 'link of no use'

/** What has become of the wish to confirm an address, with a password or by a click. */
function outcomeOf(answer: Answer, { errors }: FormState, withPassword: boolean): Outcome {
  if (answer.isOk) return 'confirmed'
  if (answer.code === 'EMAIL_ALREADY_VERIFIED') return 'confirmed before'
  if (answer.code === 'PASSWORD_NEEDED') return 'password needed'
  if (withPassword && (mayWorkYet(answer) || errors)) return 'password again'
  return mayWorkYet(answer) ? 'click again' : 'link of no use'
}

/** Whether people may be led on to where they are to go: without it the same form can be sent again. */
function mayLeadOn({ code }: Answer): boolean {
  return code !== 'INVALID_CALLBACK_URL'
}

/** Whether the same link may do in a moment what it has not done now. */
function mayWorkYet({ status, code }: Answer): boolean {
  return status === 429 || status >= 500 || code === 'PASSWORD_CHANGED'
}

type Branded = Pick<PageDependencies, 'brand'>

interface LinkProps extends Branded {
  /** What the link holds. */
  hidden: Record<string, string | undefined>
  state?: FormState
}

function ConfirmPage({ brand, action, hidden, state = {} }: LinkProps & { action: string }) {
  return (
    <Page brand={brand} title="Confirm your e-mail address">
      <h1>Confirm your address</h1>
      <p>One step is left: say that this address is yours.</p>
      <Form action={action} state={state} hidden={hidden}>
        <button type="submit">Confirm the address</button>
      </Form>
    </Page>
  )
}

function PasswordPage({ brand, state = {}, hidden, providers }: LinkProps & Pick<PageDependencies, 'providers'>) {
  const [provider] = providers
  const example = provider ? `, such as ${provider.name},` : ''
  const names = providers.map(({ name }) => name).join(' or ')
  return (
    <Page brand={brand} title="Confirm your e-mail address">
      <h1>Your password</h1>
      <p>
        The account was made in another browser. With the password that was chosen there, if one was, all of it stays as
        it is.
      </p>
      {provider && (
        <p>
          If you came with {names}, <a href="/sign-in">sign in</a> with that in this browser first, and then open the
          link again: you need no password, and nothing is removed.
        </p>
      )}
      <p>
        Any other becomes the password of the account. The one it had stops working, and every other way to sign in that
        was added to it{example} is removed.
      </p>
      <Form action="/verify-email" state={state} hidden={hidden}>
        <EitherPasswordField state={state} />
        <button type="submit">Confirm the address</button>
      </Form>
    </Page>
  )
}

// With `new-password` programs would fill in one of their own, with which something is lost.
function EitherPasswordField({ state }: { state: FormState }) {
  return (
    <Field
      state={state}
      name="password"
      label="Password"
      type="password"
      autocomplete="current-password"
      minLength={8}
      hint="At least 8 characters. The one that you chose when you signed up, or a new one."
      autofocus
    />
  )
}

function ConfirmedPage({ brand, onward }: Branded & { onward: string }) {
  return (
    <Page brand={brand} title="Confirm your e-mail address">
      <h1>Your address is confirmed</h1>
      <Notice kind="info">
        It was confirmed before, so the password that you have just given was not used. The account has the one that it
        had.
      </Notice>
      <nav class="more">
        <a href={onward}>Go on</a>
        <a href="/forgot-password">Choose a new password</a>
      </nav>
    </Page>
  )
}

function FailedPage({ brand, problem }: Branded & { problem: string }) {
  return (
    <Page brand={brand} title="Confirm your e-mail address">
      <h1>Confirm your address</h1>
      <Notice kind="bad">{problem}</Notice>
      <nav class="more">
        <a href="/account">Your account</a>
      </nav>
    </Page>
  )
}

interface OnwardProps extends Branded {
  /** Where people go on once their address is confirmed. */
  next: string | undefined
}

function SentPage({ brand, next }: OnwardProps) {
  return (
    <Page brand={brand} title="Look into your mail">
      <h1>Look into your mail</h1>
      <Notice kind="good">Open the newest link in your mail to confirm your e-mail address.</Notice>
      <p>
        Three links at most are sent within an hour, and each works for one hour. If nothing arrives, look among the
        unwanted mail. If you have an account already, sign in, or reset your password.
      </p>
      <nav class="more">
        <a href={withQuery('/verify-email', { next })}>Ask for another link</a>
        <a href={withQuery('/sign-in', { next })}>Sign in</a>
      </nav>
    </Page>
  )
}

function AskPage({ brand, state, next }: OnwardProps & { state: FormState }) {
  return (
    <Page brand={brand} title="Confirm your e-mail address">
      <h1>Confirm your address</h1>
      <p>Give your address to get a new link. Three at most are sent within an hour; the newest that you have works.</p>
      <Form action="/verify-email/resend" state={state} hidden={{ next }}>
        <EmailField state={state} autofocus />
        <button type="submit">Send the link</button>
      </Form>
      <nav class="more">
        <a href={withQuery('/sign-in', { next })}>Back to sign-in</a>
      </nav>
    </Page>
  )
}
