import type { Account, Grant, Session, User } from './account-data.ts'
import { Deletion, Email, Impersonation, Password, Profile } from './account-forms.tsx'
import { Applications, Sessions, SignInMethods } from './account-lists.tsx'
import type { PageDependencies } from './dependencies.ts'
import { Form, type FormState, Notice } from './fields.tsx'
import { Page } from './layout.tsx'

/** What the page shows after a form was sent: a notice, or what is wrong with the form of that name. */
export interface AccountState {
  notice?: string
  profile?: FormState
  email?: FormState
  password?: FormState
  sessions?: FormState
  link?: FormState
  unlink?: FormState
  disconnect?: FormState
  delete?: FormState
  return?: FormState
}

const notices = new Map(
  Object.entries({
    profile: 'Your name is saved.',
    email: 'Look into the mail of your new address for the newest link. Three at most are sent within an hour.',
    'email-changed': 'Your e-mail address is changed.',
    password: 'Your password is changed. Everywhere else you are signed out.',
    sessions: 'The session has ended.',
    'other-sessions': 'Everywhere else you are signed out.',
    link: 'You can sign in with it from now on.',
    unlink: 'You cannot sign in with it any more.',
    disconnect: 'It is not connected to your account any more.',
    return: 'You are yourself again.',
  }),
)

interface AccountProps extends Pick<PageDependencies, 'brand' | 'providers' | 'canSendMail'> {
  user: User
  accounts: Account[]
  /** That of the browser, which may be too old to be among the others that are shown. */
  session: Session
  otherSessions: Session[]
  countSessions: number
  grants: Grant[]
  state: AccountState
}

/** What people see of their own account. */
export function AccountPage({ brand, providers, canSendMail, user, session, state, ...lists }: AccountProps) {
  const { accounts, otherSessions, countSessions, grants } = lists
  const notice = notices.get(state.notice ?? '')
  const hasPassword = accounts.some(({ providerId }) => providerId === 'credential')
  const isImpersonated = session.impersonatedBy !== null
  const { notice: _, ...forms } = state
  return (
    <Page brand={brand} title="Your account" wide aside={<SignOut />}>
      <h1>Your account</h1>
      {notice && <Notice kind="good">{notice}</Notice>}
      {/* Whatever an admin has sent, from a page of before, is answered where the one form is. */}
      {isImpersonated && <Impersonation name={user.name} state={Object.values(forms)[0]} />}
      {!isImpersonated && state.return?.problem && <Notice kind="bad">{state.return.problem}</Notice>}
      <Profile user={user} canSendMail={canSendMail} isImpersonated={isImpersonated} state={state.profile} />
      {!isImpersonated && <Email hasPassword={hasPassword} canSendMail={canSendMail} state={state.email} />}
      {!isImpersonated && (
        <Password hasPassword={hasPassword} canSendMail={canSendMail} email={user.email} state={state.password} />
      )}
      <Sessions
        sessions={[session, ...otherSessions]}
        count={countSessions}
        isImpersonated={isImpersonated}
        state={state.sessions}
      />
      <SignInMethods
        accounts={accounts}
        providers={providers}
        hasPassword={hasPassword}
        isImpersonated={isImpersonated}
        state={state.link ?? state.unlink}
      />
      <Applications grants={grants} isImpersonated={isImpersonated} state={state.disconnect} />
      {!isImpersonated && <Deletion hasPassword={hasPassword} state={state.delete} />}
    </Page>
  )
}

function SignOut() {
  return (
    <Form action="/sign-out">
      <button type="submit" class="quiet small">
        Sign out
      </button>
    </Form>
  )
}
