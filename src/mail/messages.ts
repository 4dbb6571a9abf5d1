import type { Brand } from '../auth/auth-config.ts'
import { compose, type Recipient } from './letter.tsx'
import type { Message } from './mailer.ts'

/** The mails of one service. */
export type Messages = ReturnType<typeof createMessages>

const notYou = 'If it was not you, ignore this message: nothing has changed.'
const actAtOnce = 'If it was not you, set a new password at once, and tell your administrator.'

/** Makes what is mailed, with links to the pages of the service. */
export function createMessages(brand: Brand, baseUrl: string) {
  return {
    /** Asks the owner of an address to confirm it. */
    verification: (to: Recipient, url: string): Message =>
      compose(brand, {
        to,
        cap: 'address',
        subject: 'Confirm your e-mail address',
        text: 'please confirm that this is your e-mail address.',
        action: { label: 'Confirm the address', url },
        closing:
          'The link works for one hour. Open it in the browser in which you signed up: elsewhere you are asked for the password, and a new one replaces every other way to sign in. If you did not sign up, ignore this message.',
      }),

    /** Tells the owner of an account that somebody tried to make another with its address; `url` is where they sign in. */
    alreadySignedUp: (to: Recipient, url: string): Message =>
      compose(brand, {
        to,
        cap: 'address',
        subject: 'You have an account already',
        text: 'somebody, probably you, tried to sign up with this address. It has an account already: sign in to it. If you do not know its password, ask for a new one there.',
        action: { label: 'Sign in', url },
        closing: notYou,
      }),

    /** Lets the owner of an account choose a new password. */
    reset: (to: Recipient, url: string): Message =>
      compose(brand, {
        to,
        cap: 'address',
        subject: 'Reset your password',
        text: 'somebody, probably you, asked to reset your password.',
        action: { label: 'Choose a new password', url },
        closing: `The link works once, within one hour. ${notYou}`,
      }),

    /** Lets somebody for whom an admin made an account choose its first password. */
    invitation: (to: Recipient, url: string): Message =>
      compose(brand, {
        to,
        subject: `You have been invited to ${brand.name}`,
        text: 'an account was made for you. Choose a password to use it.',
        action: { label: 'Choose a password', url },
        closing: 'The link works once, within seven days. After that, ask for a password reset to get a new one.',
      }),

    /** Asks the owner of a new address to confirm that it replaces the one of the account of `asker`, the id of a user. */
    emailChange: (to: Recipient, url: string, asker: string): Message =>
      compose(brand, {
        to,
        // Anybody may ask for the address of somebody else, who must still get the letter that they ask for themselves.
        cap: { asker },
        subject: 'Confirm your new e-mail address',
        text: 'please confirm that this is to be the e-mail address of your account.',
        action: { label: 'Use this address', url },
        closing: `The link works once, within one hour, where you are signed in. ${notYou}`,
      }),

    /** Tells the owner of an address that another is to replace it. */
    emailChangeAsked: (to: Recipient, newEmail: string): Message =>
      compose(brand, {
        to,
        subject: 'Your e-mail address is about to change',
        text: `somebody, probably you, asked to change the e-mail address of your account to ${newEmail}. It changes when that address is confirmed.`,
        closing: actAtOnce,
      }),

    /** Tells both addresses that the one is that of an account now, and the other is not any more. */
    emailChanged: (oldEmail: string, newEmail: string): [Message, Message] => {
      const letter = {
        subject: 'Your e-mail address was changed',
        text: `the e-mail address of your account is ${newEmail} now.`,
        closing: 'If it was not you, tell your administrator at once.',
      }
      return [
        compose(brand, { to: { email: oldEmail }, ...letter }),
        compose(brand, { to: { email: newEmail }, ...letter }),
      ]
    },

    /** Tells the owner of an account that its password is another one. */
    passwordChanged: (to: Recipient): Message =>
      compose(brand, {
        to,
        subject: 'Your password was changed',
        text: 'the password of your account was changed. Wherever you were signed in before, you are signed out.',
        action: { label: 'Look at your account', url: `${baseUrl}/account` },
        closing: 'If it was not you, reset your password at once, and tell your administrator.',
      }),

    /** Tells the owner of an account that there is another way to sign in to it. */
    methodLinked: (to: Recipient, provider: string): Message =>
      compose(brand, {
        to,
        subject: 'A new way to sign in was added',
        text: `you can sign in to your account with ${provider} from now on.`,
        action: { label: 'Look at your account', url: `${baseUrl}/account` },
        closing: 'If it was not you, remove it there, and set a new password.',
      }),
  }
}
