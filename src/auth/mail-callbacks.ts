import { queueAfterTransactionHook } from '@better-auth/core/context'
import type { BetterAuthOptions } from 'better-auth'
import { APIError } from 'better-auth/api'
import type { Mailer, Message } from '../mail/mailer.ts'
import type { Messages } from '../mail/messages.ts'
import { markEmailVerified } from './auth-transaction.ts'

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
}

/** Better-Auth's requests to mail something, handed to the mailer. */
export function mailCallbacks({ mailer, send, messages, baseUrl }: MailDependencies) {
  return {
    emailAndPassword: {
      sendResetPassword: ({ user, url, token }) =>
        send(messages.reset(user, pageOr(url, `${baseUrl}/reset-password?token=${token}`))),
      onPasswordReset: async ({ user }) => {
        if (mailer.isReal) await markEmailVerified(user.id)
        await send(messages.passwordChanged(user))
      },
    },
    emailVerification: {
      sendVerificationEmail: ({ user, url, token }) =>
        send(messages.verification(user, pageOr(url, `${baseUrl}/verify-email?token=${token}`))),
    },
  } satisfies {
    emailAndPassword: Pick<NonNullable<BetterAuthOptions['emailAndPassword']>, 'sendResetPassword' | 'onPasswordReset'>
    emailVerification: BetterAuthOptions['emailVerification']
  }
}

/** Better-Auth's own link where the client asked to be led elsewhere afterwards, and else a page of ours. */
function pageOr(url: string, page: string): string {
  const returnsTo = new URL(url).searchParams.get('callbackURL')
  return returnsTo && returnsTo !== '/' ? url : page
}
