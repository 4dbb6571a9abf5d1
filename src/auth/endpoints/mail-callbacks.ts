import { getCurrentAuthEndpointContext, queueAfterTransactionHook } from '@better-auth/core/context'
import type { BetterAuthOptions } from 'better-auth'
import { APIError, createEmailVerificationToken } from 'better-auth/api'
import type { Mailer, Message } from '../../mail/mailer.ts'
import type { Messages } from '../../mail/messages.ts'
import { markEmailVerified, removeProviders } from '../auth-transaction.ts'
import type { PasswordBudget } from './password-budget.ts'
import { noteUnconfirmed } from './unconfirmed-browser.ts'

/** Hands a mail over once what it is about is committed. Nothing is waited for: timing would tell who exists. */
export type SendAfterCommit = (message: Message) => Promise<void>

export function createSendAfterCommit(mailer: Mailer): SendAfterCommit {
  return (message) =>
    queueAfterTransactionHook(() => {
      mailer.send(message)
      return Promise.resolve()
    })
}

/** @throws APIError `MAIL_NOT_CONFIGURED` where mail reaches nobody */
export function assertMail({ canSend }: Mailer): void {
  if (canSend) return
  throw new APIError('NOT_IMPLEMENTED', { code: 'MAIL_NOT_CONFIGURED', message: 'This service cannot send mail' })
}

interface MailDependencies {
  mailer: Mailer
  send: SendAfterCommit
  messages: Messages
  baseUrl: string
  secret: string
  passwordBudget: PasswordBudget
}

/** Better-Auth's requests to mail something, handed to the mailer. */
export function mailCallbacks({ mailer, send, messages, baseUrl, secret, passwordBudget }: MailDependencies) {
  const pageUrl = (path: string, query: Record<string, string | undefined>) => {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return `${baseUrl}${path}${given.length > 0 ? '?' : ''}${new URLSearchParams(given).toString()}`
  }
  const verifyPage = (token: string, next: string | undefined) => pageUrl('/verify-email', { token, next: fit(next) })
  return {
    emailAndPassword: {
      sendResetPassword: ({ user, url, token }) =>
        send(messages.reset(user, onwardOf(url) ? url : `${baseUrl}/reset-password?token=${token}`)),
      onPasswordReset: async ({ user }, request) => {
        // Whoever is kept out by attempts, their own or those of others, gets in this way.
        await passwordBudget.renew(user, request?.headers)
        if (mailer.isReal) {
          if (!user.emailVerified) await removeProviders(user.id)
          await markEmailVerified(user.id)
        }
        await send(messages.passwordChanged(user))
      },
      // The answer does not tell that the address is taken, and says that a mail is on its way: so one is.
      onExistingUserSignUp: async ({ user }) => {
        // Better-Auth has checked where it leads, as for any sign-up.
        const { callbackURL } = getCurrentAuthEndpointContext().body as { callbackURL?: string }
        if (user.emailVerified)
          return mailer.send(messages.alreadySignedUp(user, pageUrl('/sign-in', { next: requestIn(callbackURL) })))
        const token = await createEmailVerificationToken(secret, user.email)
        mailer.send(messages.verification(user, verifyPage(token, callbackURL)))
      },
    },
    emailVerification: {
      sendVerificationEmail: ({ user, url, token }, request) => {
        noteUnconfirmed(request, user.id)
        return send(messages.verification(user, verifyPage(token, onwardOf(url))))
      },
    },
  } satisfies {
    emailAndPassword: Pick<
      NonNullable<BetterAuthOptions['emailAndPassword']>,
      'sendResetPassword' | 'onPasswordReset' | 'onExistingUserSignUp'
    >
    emailVerification: BetterAuthOptions['emailVerification']
  }
}

const maxNextChars = 2_000

/** Where a mailed link leads on, unless that is so long that somebody wants it to be read. */
function fit(next: string | undefined): string | undefined {
  return next !== undefined && next.length <= maxNextChars ? next : undefined
}

/** The request of an application: all that a letter says of what a stranger has asked for. */
function requestIn(next: string | undefined): string | undefined {
  return next?.startsWith('/api/auth/oauth2/authorize?') ? fit(next) : undefined
}

/** Where the client asked Better-Auth to lead on from a link. */
function onwardOf(url: string): string | undefined {
  const returnsTo = new URL(url).searchParams.get('callbackURL')
  return returnsTo && returnsTo !== '/' ? returnsTo : undefined
}
