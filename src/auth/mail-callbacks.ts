import type { BetterAuthOptions } from 'better-auth'
import type { Mailer } from '../mail/mailer.ts'
import { type ResetWay, resetMessage, verificationMessage } from '../mail/messages.ts'
import { markEmailVerified } from './auth-transaction.ts'

/** Better-Auth's requests to mail something, handed to the mailer. Nothing is waited for: timing would tell who exists. */
export function mailCallbacks(mailer: Mailer, baseUrl: string) {
  return {
    emailAndPassword: {
      sendResetPassword: ({ user, url, token }) => {
        mailer.send(resetMessage(user, resetWay(baseUrl, url, token)))
        return Promise.resolve()
      },
      onPasswordReset: async ({ user }) => {
        if (mailer.isReal) await markEmailVerified(user.id)
      },
    },
    emailVerification: {
      sendVerificationEmail: ({ user, url }) => {
        mailer.send(verificationMessage(user, url))
        return Promise.resolve()
      },
    },
  } satisfies {
    emailAndPassword: Pick<NonNullable<BetterAuthOptions['emailAndPassword']>, 'sendResetPassword' | 'onPasswordReset'>
    emailVerification: BetterAuthOptions['emailVerification']
  }
}

/** The page that the client asked to return to, or else the endpoint that takes the token. */
export function resetWay(baseUrl: string, url: string, token: string): ResetWay {
  const returnsTo = new URL(url).searchParams.get('callbackURL')
  return returnsTo ? { url } : { endpoint: `${baseUrl}/api/auth/reset-password`, token }
}
