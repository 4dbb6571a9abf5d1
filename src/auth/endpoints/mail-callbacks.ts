import { getCurrentAuthEndpointContext, queueAfterTransactionHook } from '@better-auth/core/context'
import type { BetterAuthOptions } from 'better-auth'
import { APIError, createEmailVerificationToken } from 'better-auth/api'
import type { Mailer, Message } from '../../mail/mailer.ts'
import type { Messages } from '../../mail/messages.ts'
import { markEmailVerified, removeProviders } from '../auth-transaction.ts'
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
}

/** Better-Auth's requests to mail something, handed to the mailer. */
export function mailCallbacks({ mailer, send, messages, baseUrl, secret }: MailDependencies) {
  const verifyPage = (token: string, next?: string) => {
    const query = new URLSearchParams({ token, ...(next !== undefined && { next }) })
    return `${baseUrl}/verify-email?${query.toString()}`
  }
  const signInPage = (next: string | undefined) => {
    // The page leads to pages of ours only.
    const query = next?.startsWith('/') ? `?${new URLSearchParams({ next }).toString()}` : ''
    return `${baseUrl}/sign-in${query}`
  }
  return {
    emailAndPassword: {
      sendResetPassword: ({ user, url, token }) =>
        send(messages.reset(user, onwardOf(url) ? url : `${baseUrl}/reset-password?token=${token}`)),
      onPasswordReset: async ({ user }) => {
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
        if (user.emailVerified) return mailer.send(messages.alreadySignedUp(user, signInPage(callbackURL)))
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

/** Where the client asked Better-Auth to lead on from a link. */
function onwardOf(url: string): string | undefined {
  const returnsTo = new URL(url).searchParams.get('callbackURL')
  return returnsTo && returnsTo !== '/' ? returnsTo : undefined
}
