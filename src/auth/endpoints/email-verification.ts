import { APIError, createAuthEndpoint, signInEmail } from 'better-auth/api'
import { verifyJWT } from 'better-auth/crypto'
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import type { Messages } from '../../mail/messages.ts'
import { inAuthTransaction, markEmailVerified, removeProviders, transactionOr } from '../auth-transaction.ts'
import { findAuthority, lockAuthority } from '../authority/authority.queries.ts'
import { isFromBefore } from '../authority/authority.ts'
import { type MiddlewareContext, refused, wrapEndpoint } from '../endpoint.ts'
import type { SignInTurns } from '../hashing/sign-in-turns.ts'
import { storePassword } from './credential.ts'
import { documented } from './documented.ts'
import { ownerOf } from './hash-ahead.ts'
import type { SendAfterCommit } from './mail-callbacks.ts'
import { budgetedSignIn, type PasswordBudget } from './password-budget.ts'
import { assertPassword } from './profile-hooks.ts'
import { forgetUnconfirmed, isOfThisBrowser, quietSignIn } from './unconfirmed-browser.ts'

interface Dependencies {
  db: Db
  send: SendAfterCommit
  messages: Messages
  signInTurns: SignInTurns
  passwordBudget: PasswordBudget
}

// What Better-Auth signs for a link to confirm an address.
const Claims = z.object({ email: z.email(), iat: z.number(), updateTo: z.undefined().optional() })

/**
 * Confirms an address by a mailed link, in place of Better-Auth's own, which a program that only opens the link could do.
 * The link shows who reads the mail, and not who made the account: anybody may have typed the address. So it is the
 * account of whoever confirms only in a browser that has shown it, in a session of the user, or with a password. Where
 * that is not the one that the account has, it replaces it and every other way to sign in.
 */
export function emailVerification({ db, send, messages, signInTurns, passwordBudget }: Dependencies) {
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
        '`password`, the one of the sign-up or a new one, is needed where there is no session of the user, in another browser than that of the sign-up or of a sign-in.',
      ),
    },
    async (ctx) => {
      const { token, password } = ctx.body
      const user = await userOf(db, ctx, token)
      if (user.emailVerified) {
        assertUnused(password)
        return ctx.json({ status: true })
      }
      if (password !== undefined) assertPassword(password, ownerOf(ctx, user.email))
      else if (!(await isOfThisBrowser(ctx, user.id)))
        throw refused('PASSWORD_NEEDED', 'The account was made in another browser: give a password')
      const weighed = password === undefined ? undefined : await weigh(ctx, user.id, password)
      await inAuthTransaction(db, ctx.context.options, async (trx) => {
        // In which changes of passwords queue.
        await lockAuthority(trx)
        const { emailVerified } = await userOf(db, ctx, token)
        if (emailVerified) return assertUnused(password)
        if (weighed && (await replacePassword(ctx, user.id, weighed))) {
          await removeProviders(user.id)
          await send(messages.passwordChanged(user))
        }
        await markEmailVerified(user.id)
      })
      forgetUnconfirmed(ctx)
      return ctx.json({ status: true })
    },
  )
  // Once it is neither limited nor malformed: only what will check a password waits for its turn.
  const inTurn = wrapEndpoint(signInEmail(), (call, context) => signInTurns.admit(() => call(context)))
  return { verifyEmail, signInEmail: quietSignIn(budgetedSignIn(passwordBudget, inTurn)) }
}

/** @throws APIError where the address was confirmed before: whoever gives a password must not believe that it counts now */
function assertUnused(password: string | undefined): void {
  if (password === undefined) return
  throw refused('EMAIL_ALREADY_VERIFIED', 'The address is confirmed already: the password was not used', 'BAD_REQUEST')
}

/**
 * Whose address a mailed token is to confirm.
 * @throws APIError for a token that is no good, or from before what ended the tokens of the user, if it would still do anything
 */
async function userOf(db: Db, { context }: MiddlewareContext, token: string) {
  const claims = Claims.safeParse(await verifyJWT(token, context.secret))
  const found = claims.success && (await context.internalAdapter.findUserByEmail(claims.data.email))
  if (!found) throw invalidToken()
  const authority = await findAuthority(transactionOr(db), found.user.id, null)
  if (!authority || (!found.user.emailVerified && isFromBefore(claims.data, authority.valid_after)))
    throw invalidToken()
  return found.user
}

function invalidToken(): APIError {
  return refused('INVALID_TOKEN', 'Invalid token', 'BAD_REQUEST')
}

/** What a password means to an account: the hash of the one that is stored, and of the new one unless that is the same. */
interface Weighed {
  stored: string | undefined
  hash: string | undefined
}

/** Computes it, which takes a while: ahead of the transaction, so that nobody waits for that. */
async function weigh({ context }: MiddlewareContext, userId: string, password: string): Promise<Weighed> {
  const stored = (await context.internalAdapter.findCredentialAccount(userId))?.password ?? undefined
  const isSame = stored !== undefined && (await context.password.verify({ hash: stored, password }))
  return { stored, hash: isSame ? undefined : await context.password.hash(password) }
}

/** Gives a user a password, in the transaction under way. Returns whether they had another, or none. */
async function replacePassword(
  { context }: MiddlewareContext,
  userId: string,
  { stored, hash }: Weighed,
): Promise<boolean> {
  const account = await context.internalAdapter.findCredentialAccount(userId)
  if ((account?.password ?? undefined) !== stored) {
    throw new APIError('CONFLICT', {
      code: 'PASSWORD_CHANGED',
      message: 'The password was changed meanwhile: try again',
    })
  }
  if (hash === undefined) return false
  await storePassword(context.internalAdapter, userId, account, hash)
  return true
}
