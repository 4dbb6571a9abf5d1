import type { Brand } from '../auth/auth-config.ts'
import type { Ban } from '../auth/ban-notice.ts'
import { Page } from './layout.tsx'
import { banned } from './words.ts'

const again = 'Go back and start again.'
const tell = 'Go back to it, and tell who runs it.'

// What Better-Auth redirects here with.
const texts: Record<string, string> = {
  access_denied: 'You did not allow it, so nothing has happened. You can choose another way.',
  account_not_linked:
    'There is an account with this e-mail address already, and it is not known to be yours. Sign in to it as you always do, then add this way to sign in on your account page.',
  account_already_linked_to_different_user: 'Somebody else signs in with this already, so you cannot add it.',
  email_not_found: 'The provider did not tell your e-mail address, which is needed. Allow it there, then start again.',
  email_not_verified:
    'The provider has not verified your e-mail address. If we have mailed you a link, open it in this browser; otherwise verify the address there. Then start again.',
  email_does_not_match: 'This has another e-mail address than your account, so it cannot be added.',
  session_ended: 'Your session has ended meanwhile. Sign in, then add this way to sign in on your account page.',
  'dependency-unavailable': 'This does not work right now. Nothing was changed: try again in a moment.',
  signup_disabled: 'New accounts are made by an administrator here.',
  invalid_logout:
    'The request to sign you out is not in order, so nothing has happened. You can sign out on your account page.',
  state_mismatch: `This sign-in was begun in another browser or has taken too long. ${again}`,
  please_restart_the_process: `This sign-in was begun in another browser or has taken too long. ${again}`,
  unable_to_link_account:
    'The provider has not verified your e-mail address, so it cannot be added. Verify it there, then start again.',
  state_not_found: `This sign-in was begun in another browser or has taken too long. ${again}`,
  // Of the requests of applications: those that are not answered where they say.
  invalid_client: `This service does not know the application that led you here. ${tell}`,
  client_disabled: `The application that led you here is switched off. ${tell}`,
  invalid_redirect: `The application that led you here gave an address to return to that is not its own. ${tell}`,
  invalid_request: `What led you here asked in a way that cannot be answered. ${tell}`,
  unauthorized_client: `The application that led you here may not sign people in. ${tell}`,
  unsupported_response_type: `What led you here asked in a way that cannot be answered. ${tell}`,
}

interface ErrorProps {
  brand: Brand
  /** The code with which it ended here. */
  code: string
  /** Whether it was to be added to an account. */
  isAdding: boolean
  /** Of who is banned: why, and until when. */
  ban: Ban | undefined
}

const account = { href: '/account', label: 'Back to your account' }
// An application's own pages are where to go back to from what it asked for.
const requests = new Set([
  'invalid_client',
  'client_disabled',
  'invalid_redirect',
  'invalid_request',
  'unauthorized_client',
  'unsupported_response_type',
])

/** What did not work, and where to go from there. */
function situationOf(code: string, isAdding: boolean): { title: string; back?: { href: string; label: string } } {
  if (isAdding) return { title: 'Adding it did not work', back: account }
  if (code === 'invalid_logout') return { title: 'You are not signed out', back: account }
  if (requests.has(code)) return { title: 'This cannot be answered' }
  return { title: 'Signing in did not work', back: { href: '/sign-in', label: 'Back to sign-in' } }
}

/** Where a sign-in with a provider, or for an application, ends that did not work: why, and what to do. */
export function ErrorPage({ brand, code: given, isAdding, ban }: ErrorProps) {
  const code = given.toLowerCase()
  const { title, back } = situationOf(code, isAdding)
  return (
    <Page brand={brand} title={title}>
      <h1>{title}</h1>
      <p>{textOf(code, ban)}</p>
      {back && (
        <nav class="more">
          <a href={back.href}>{back.label}</a>
        </nav>
      )}
    </Page>
  )
}

function textOf(code: string, ban: Ban | undefined): string | undefined {
  if (code === 'banned' || code === 'banned_user') return banned(ban)
  return Object.hasOwn(texts, code) ? texts[code] : `The provider did not answer as it should. ${again}`
}
