import { type APIError, createAuthEndpoint, createAuthMiddleware, getSessionFromCtx } from 'better-auth/api'
import { verifyJWT } from 'better-auth/crypto'
import { z } from 'zod'
import type { Messages } from '../mail/messages.ts'
import { markEmailVerified, removeProviders } from './auth-transaction.ts'
import { storePassword } from './credential.ts'
import { documented } from './documented.ts'
import { type GuardEndpoint, refused } from './endpoint-guard.ts'
import type { SendAfterCommit } from './mail-callbacks.ts'
import { assertPassword } from './profile-hooks.ts'

interface Dependencies {
  guard: GuardEndpoint
  send: SendAfterCommit
  messages: Messages
}

type Context = Parameters<typeof getSessionFromCtx>[0]

// What Better-Auth signs for a link to confirm an address.
const Claims = z.object({ email: z.email(), updateTo: z.undefined().optional() })

const browserMs = 24 * 3_600_000

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
      const { name, attributes } = browserCookie(ctx)
      ctx.setCookie(name, '', { ...attributes, maxAge: 0 })
      return ctx.json({ status: true })
    },
  )
  return { verifyEmail: guard(verifyEmail) }
}

/** Lets a browser remember whose address is to be confirmed once it has shown that the account is theirs. */
export const rememberUnconfirmed = createAuthMiddleware(async (ctx) => {
  const userId = await unconfirmedUser(ctx)
  if (userId === undefined) return
  const { name, attributes } = browserCookie(ctx)
  await ctx.setSignedCookie(name, userId, ctx.context.secret, attributes)
})

/** Who signed up, or gave their password, and gets no session before their address is confirmed. */
async function unconfirmedUser({ path, body, context }: Context): Promise<string | undefined> {
  const { returned } = context as { returned?: APIError | { token?: string | null; user?: { id: string } } }
  // For an address that is taken there is a user in the answer, too, whom nobody has: it tells nothing.
  if (path === '/sign-up/email' && returned && 'user' in returned && returned.token === null) return returned.user?.id
  if (path !== '/sign-in/email' || !returned || !('body' in returned)) return undefined
  if (returned.body?.code !== 'EMAIL_NOT_VERIFIED') return undefined
  const { email } = body as { email: string }
  return (await context.internalAdapter.findUserByEmail(email))?.user.id
}

async function isOfThisBrowser(ctx: Context, userId: string): Promise<boolean> {
  if ((await ctx.getSignedCookie(browserCookie(ctx).name, ctx.context.secret)) === userId) return true
  return (await getSessionFromCtx(ctx))?.user.id === userId
}

function browserCookie({ context }: Context) {
  return context.createAuthCookie('unconfirmed', { maxAge: browserMs / 1_000 })
}

/** Gives a user a password. Returns whether they had another, or none. */
async function replacePassword({ context }: Context, userId: string, password: string): Promise<boolean> {
  const account = await context.internalAdapter.findCredentialAccount(userId)
  if (account?.password && (await context.password.verify({ hash: account.password, password }))) return false
  await storePassword(context.internalAdapter, userId, account, await context.password.hash(password))
  return true
}
