import type { AuthContext } from '@better-auth/core'
import { createAuthEndpoint } from 'better-auth/api'
import { verifyJWT } from 'better-auth/crypto'
import { z } from 'zod'
import type { Messages } from '../mail/messages.ts'
import { markEmailVerified, removeProviders } from './auth-transaction.ts'
import { storePassword } from './credential.ts'
import { documented } from './documented.ts'
import { type GuardEndpoint, refused } from './endpoint-guard.ts'
import type { SendAfterCommit } from './mail-callbacks.ts'
import { assertPassword } from './profile-hooks.ts'
import { forgetUnconfirmed, isOfThisBrowser } from './unconfirmed-browser.ts'

interface Dependencies {
  guard: GuardEndpoint
  send: SendAfterCommit
  messages: Messages
}

// What Better-Auth signs for a link to confirm an address.
const Claims = z.object({ email: z.email(), updateTo: z.undefined().optional() })

/**
 * Confirms an address by a mailed link, in place of Better-Auth's own, which a program that only opens the link could do.
 * The link shows who reads the mail, and not who made the account: anybody may have typed the address. So it is the
 * account of whoever confirms only in the browser in which it was made, or with a password. Where that is not the one
 * that the account has, it replaces it and every other way to sign in.
 */
export function emailVerification({ guard, send, messages }: Dependencies) {
  const verifyEmail = createAuthEndpoint(
    '/verify-email',
    {
      method: 'POST',
      body: z.object({
        token: z.string().max(2_000),
        password: z.string().optional(),
        // Where a client wants to go on: refused by Better-Auth, as everywhere, unless that is trusted.
        callbackURL: z.string().optional(),
      }),
      metadata: documented(
        'verifyEmail',
        'Confirm an e-mail address',
        '`password`, the one of the sign-up or a new one, is needed in another browser than that of the sign-up.',
      ),
    },
    async (ctx) => {
      const { token, password } = ctx.body
      const claims = Claims.safeParse(await verifyJWT(token, ctx.context.secret))
      const found = claims.success && (await ctx.context.internalAdapter.findUserByEmail(claims.data.email))
      if (!found) throw refused('INVALID_TOKEN', 'Invalid token', 'BAD_REQUEST')
      const { user } = found
      if (user.emailVerified) return ctx.json({ status: true })
      if (password !== undefined) {
        assertPassword(password)
        if (await replacePassword(ctx, user.id, password)) {
          await removeProviders(user.id)
          await send(messages.passwordChanged(user))
        }
      } else if (!(await isOfThisBrowser(ctx, user.id))) {
        throw refused('PASSWORD_NEEDED', 'The account was made in another browser: give a password')
      }
      await markEmailVerified(user.id)
      forgetUnconfirmed(ctx)
      return ctx.json({ status: true })
    },
  )
  return { verifyEmail: guard(verifyEmail) }
}

/** Gives a user a password. Returns whether they had another, or none. */
async function replacePassword(
  { context }: { context: AuthContext },
  userId: string,
  password: string,
): Promise<boolean> {
  const account = await context.internalAdapter.findCredentialAccount(userId)
  if (account?.password && (await context.password.verify({ hash: account.password, password }))) return false
  await storePassword(context.internalAdapter, userId, account, await context.password.hash(password))
  return true
}
