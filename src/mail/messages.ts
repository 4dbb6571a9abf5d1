import type { Message } from './mailer.ts'

interface Recipient {
  email: string
  name: string
}

/** Asks the owner of an address to confirm it. */
export function verificationMessage({ email, name }: Recipient, url: string): Message {
  return message(email, 'Confirm your e-mail address', [
    `Hello ${name},`,
    `please confirm that this is your e-mail address:\n${url}`,
    'The link works for one hour. If you did not sign up, ignore this message.',
  ])
}

/** Lets the owner of an account choose a new password. */
export function resetMessage({ email, name }: Recipient, way: ResetWay): Message {
  return message(email, 'Reset your password', [
    `Hello ${name},`,
    `somebody, probably you, asked to reset your password.\n${howTo(way)}`,
    'This works once, within one hour. If it was not you, ignore this message: nothing has changed.',
  ])
}

/** Lets somebody for whom an admin made an account choose its first password. */
export function invitationMessage({ email, name }: Recipient, way: ResetWay): Message {
  return message(email, 'You have been invited', [
    `Hello ${name},`,
    `an account was made for you. Choose a password to use it.\n${howTo(way)}`,
    'This works once, within seven days. After that, ask for a password reset to get a new message.',
  ])
}

/** Where a password is chosen: a page, when there is one, or the API. */
export type ResetWay = { url: string } | { endpoint: string; token: string }

function howTo(way: ResetWay): string {
  if ('url' in way) return way.url
  return `POST ${way.endpoint}\n{"newPassword": "…", "token": "${way.token}"}`
}

function message(to: string, subject: string, paragraphs: string[]): Message {
  return { to, subject, text: `${paragraphs.join('\n\n')}\n` }
}
