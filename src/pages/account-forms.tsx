import type { User } from './account-data.ts'
import { Field, Form, type FormState, NameField, NewPasswordField, PasswordField } from './fields.tsx'
import { Section } from './section.tsx'

/** Says that an admin looks at the account, and leads back. */
export function Impersonation({ name, state = {} }: { name: string; state: FormState | undefined }) {
  return (
    <Form action="/account/return" state={state} class="notice info">
      <p>You look at the account of {name} as an administrator. You cannot change it.</p>
      <button type="submit" class="quiet small">
        Return to your own account
      </button>
    </Form>
  )
}

interface ProfileProps {
  user: User
  canSendMail: boolean
  /** Whether an admin looks, who can change nothing. */
  isImpersonated: boolean
  state: FormState | undefined
}

/** Who it is. */
export function Profile({ user, canSendMail, isImpersonated, state = {} }: ProfileProps) {
  return (
    <Section id="profile" title="Profile">
      <dl>
        <dt>E-mail address</dt>
        <dd>
          {user.email} <span class="tag">{user.emailVerified ? 'confirmed' : 'not confirmed'}</span>
        </dd>
        <dt>Role</dt>
        <dd>{user.role}</dd>
      </dl>
      {!isImpersonated && (
        <Form action="/account/profile" state={state}>
          <NameField state={state} value={user.name} />
          <button type="submit">Save</button>
        </Form>
      )}
      {!isImpersonated && canSendMail && !user.emailVerified && (
        <Form action="/verify-email/resend" hidden={{ email: user.email }}>
          <button type="submit" class="quiet">
            Send a link that confirms the address
          </button>
        </Form>
      )}
    </Section>
  )
}

interface EmailProps {
  hasPassword: boolean
  canSendMail: boolean
  state: FormState | undefined
}

/** Asks for another address, where that can be confirmed. */
export function Email({ hasPassword, canSendMail, state = {} }: EmailProps) {
  if (!canSendMail) {
    return (
      <Section id="email-address" title="E-mail address">
        <p>An administrator can change it: this service sends no mail, and so cannot ask whether another is yours.</p>
      </Section>
    )
  }
  return (
    <Section id="email-address" title="E-mail address">
      <Form action="/account/email" state={state}>
        <Field
          state={state}
          name="newEmail"
          label="New e-mail address"
          type="email"
          autocomplete="email"
          hint="It counts once you have opened the link that is sent to it. The old address is told."
        />
        {hasPassword && <PasswordField state={state} name="password" form="email" label="Your password" />}
        <button type="submit">Change the address</button>
      </Form>
    </Section>
  )
}

interface PasswordProps {
  hasPassword: boolean
  canSendMail: boolean
  email: string
  state: FormState | undefined
}

/** Changes the password, or leads to one. */
export function Password({ hasPassword, canSendMail, email, state = {} }: PasswordProps) {
  if (!hasPassword) {
    return (
      <Section id="password" title="Password">
        <p>You have no password: you sign in with another service.</p>
        {canSendMail && (
          <Form action="/forgot-password" hidden={{ email }}>
            <button type="submit" class="quiet">
              Send me a link to set one
            </button>
          </Form>
        )}
      </Section>
    )
  }
  return (
    <Section id="password" title="Password">
      <Form action="/account/password" state={state}>
        {/* For programs that keep passwords: whose it is. */}
        <input type="text" name="username" value={email} autocomplete="username" hidden />
        <PasswordField state={state} name="currentPassword" label="Current password" />
        <NewPasswordField
          state={state}
          name="newPassword"
          label="New password"
          hint="Everywhere else you are signed out."
        />
        <button type="submit">Change the password</button>
      </Form>
    </Section>
  )
}

/** Ends it all. */
export function Deletion({ hasPassword, state = {} }: { hasPassword: boolean; state: FormState | undefined }) {
  return (
    <Section id="deletion" title="Delete your account">
      <p>Everything of yours here is deleted at once. It cannot be brought back.</p>
      <details open={state.problem !== undefined || state.errors !== undefined}>
        <summary>Delete my account</summary>
        <Form action="/account/delete" state={state}>
          {hasPassword && <PasswordField state={state} name="password" form="delete" label="Your password" />}
          <button type="submit" class="danger">
            Delete my account for good
          </button>
        </Form>
      </details>
    </Section>
  )
}
