import type { z } from '@hono/zod-openapi'
import type { Ban } from '../auth/ban-notice.ts'
import type { Problem } from '../http/problem.ts'
import type { Answer } from './calls.ts'
import type { FormState } from './fields.tsx'

interface Fault {
  /** The field that it stands beside; without one it stands above the form. */
  field?: string
  text: string
}

const notAnAddress = 'This is not an e-mail address that can be used.'
const gone = 'This is not there any more, so there is nothing to do.'

// By the codes of Better-Auth and the problem types of `/api/v1`.
const faults: Record<string, Fault> = {
  INVALID_EMAIL_OR_PASSWORD: { text: 'This e-mail address and password do not belong together.' },
  USER_ALREADY_EXISTS: { text: 'This did not work. If you have an account already, sign in, or reset your password.' },
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: {
    text: 'This did not work. If you have an account already, sign in, or reset your password.',
  },
  EMAIL_PASSWORD_SIGN_UP_DISABLED: { text: 'New accounts are made by an administrator here.' },
  INVALID_EMAIL: { field: 'email', text: notAnAddress },
  SAME_EMAIL: { field: 'newEmail', text: 'This is your address already.' },
  INVALID_NAME: { field: 'name', text: 'Give a name of 1 to 200 characters.' },
  PASSWORD_TOO_SHORT: { field: 'newPassword', text: 'A password needs at least 8 characters.' },
  PASSWORD_TOO_LONG: { field: 'newPassword', text: 'A password has at most 128 characters.' },
  UNUSABLE_PASSWORD: { field: 'newPassword', text: 'A password holds no control characters: type it anew.' },
  WEAK_PASSWORD: {
    field: 'newPassword',
    text: 'Choose another password: this one is among those that are tried first.',
  },
  WRONG_CURRENT_PASSWORD: { field: 'currentPassword', text: 'This is not your password.' },
  INVALID_PASSWORD: { field: 'password', text: 'This is not your password.' },
  CREDENTIAL_ACCOUNT_NOT_FOUND: { text: 'You have no password yet: ask for a link to set one.' },
  INVALID_TOKEN: { text: 'This link was used already, or has expired. Ask for a new one.' },
  TOKEN_EXPIRED: { text: 'This link has expired. Ask for a new one.' },
  USER_NOT_FOUND: { text: 'This link was used already, or has expired. Ask for a new one.' },
  INVALID_CALLBACK_URL: { text: 'The link leads on to a place that is not known here. Ask for a new one.' },
  PASSWORD_CHANGED: { text: 'The password of the account has just been changed. Try again.' },
  MAIL_NOT_CONFIGURED: { text: 'This service cannot send mail. Ask an administrator for help.' },
  SESSION_EXPIRED: { text: 'To do this, sign in again first.' },
  SESSION_NOT_FRESH: { text: 'To do this, sign in again first.' },
  LAST_ADMIN: { text: 'There must always be an active admin: make somebody else an admin first.' },
  FORBIDDEN: { text: 'You may not do this.' },
  NOT_FOUND: { text: gone },
  ACCOUNT_NOT_FOUND: { text: gone },
  IMPERSONATING: { text: 'You cannot do this while you act as somebody else.' },
  NO_ADMIN_SESSION: { text: 'Your own session is over. Sign out, and sign in again.' },
  FAILED_TO_UNLINK_LAST_ACCOUNT: { text: 'This is your last way to sign in. Set a password first.' },
  PROVIDER_UNAVAILABLE: {
    text: 'This service does not answer right now. Sign in another way, or try again in a moment.',
  },
  OVERLOADED: { text: 'There is too much to do right now. Try again in a moment.' },
  DEPENDENCY_UNAVAILABLE: { text: 'This does not work right now. Nothing was changed: try again in a moment.' },
}

/**
 * What a form shows for an error, in plain words.
 * @param fields the fields of the form; a fault of any other stands above it
 */
export function explain(answer: Answer, fields: readonly string[]): FormState {
  if (answer.status === 429) {
    return { problem: `Too many attempts. Try again in ${inWords(Number(answer.retryAfter ?? '60'))}.` }
  }
  const errors = Object.fromEntries(faultsOf(answer).filter(([field]) => fields.includes(field)))
  if (Object.keys(errors).length > 0) return { errors }
  const code = answer.code?.replaceAll('-', '_').toUpperCase() ?? ''
  const { field, text } = faults[code] ?? { text: 'This did not work. Check what you have entered and try again.' }
  // The same fault is beside another field where that is the one there is.
  const at = field === 'newPassword' && !fields.includes(field) ? 'password' : field
  return at !== undefined && fields.includes(at) ? { errors: { [at]: text } } : { problem: text }
}

function inWords(seconds: number): string {
  return seconds > 120 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`
}

/** What does not have the form that the API asks for, by field. */
function faultsOf({ code, message, body }: Answer): [field: string, text: string][] {
  if (code === 'validation') {
    const { errors = [] } = body as z.infer<typeof Problem>
    return errors.map(({ pointer = '', detail }) => [pointer.slice(1), `It ${detail}.`])
  }
  if (code !== 'VALIDATION_ERROR') return []
  return [...message.matchAll(/\[body\.(\w+)\]/g)].map(([, field = '']) => [
    field,
    /email$/i.test(field) ? notAnAddress : 'This cannot be used.',
  ])
}

/** Says that somebody is banned, until when and why, as far as that is known. */
export function banned(ban: Ban | undefined): string {
  const until = ban?.expires ? ` until ${ban.expires.toUTCString()}` : ''
  const why = ban?.reason ? ` The reason: ${ban.reason}` : ''
  return `This account is banned${until}.${why}`
}
