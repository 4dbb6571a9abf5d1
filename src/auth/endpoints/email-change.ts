import { randomBytes } from 'node:crypto'
import type { AuthContext } from '@better-auth/core'
import { createAuthEndpoint, sensitiveSessionMiddleware } from 'better-auth/api'
import { z } from 'zod'
import type { Mailer } from '../../mail/mailer.ts'
import type { Messages } from '../../mail/messages.ts'
import { Email } from '../../resources/profile.ts'
import { refused } from '../endpoint.ts'
import { documented } from './documented.ts'
import { type GuardEndpoint, notImpersonating } from './guard.ts'
import { checksOwn } from './hash-ahead.ts'
import { holdActor } from './hold-actor.ts'
import { assertMail, type SendAfterCommit } from './mail-callbacks.ts'
import type { PasswordBudget } from './password-budget.ts'

interface Dependencies {
  guard: GuardEndpoint
  passwordBudget: PasswordBudget
  mailer: Mailer
  send: SendAfterCommit
  messages: Messages
  baseUrl: string
}

interface OwnedContext extends Pick<AuthContext, 'internalAdapter' | 'password' | 'sessionConfig'> {
  session: { session: { createdAt: Date }; user: { id: string } }
}

const lifeMs = 3_600_000

/**
 * The change of one's own address: asked for with the password or, without one, in a fresh session; confirmed by a link
 * to the new address in a session of the same user. In place of Better-Auth's own, whose link is bound to the old address
 * and signs in whoever opens it.
 */
export function emailChange({ guard, passwordBudget, mailer, send, messages, baseUrl }: Dependencies) {
  const ask = createAuthEndpoint(
    '/change-email',
    {
      method: 'POST',
      body: z.object({ newEmail: Email, password: z.string().optional() }),
      use: [sensitiveSessionMiddleware],
      metadata: documented(
        'changeEmail',
        'Ask to change one’s e-mail address',
        '`password` is needed by who has one, a fresh session by who has none.',
      ),
    },
    async ({ body: { newEmail, password }, context, json }) => {
      const { user } = context.session
      assertMail(mailer)
      if (newEmail === user.email) throw refused('SAME_EMAIL', 'This is your address already', 'BAD_REQUEST')
      await assertOwner(context, password)
      await holdActor(user)
      // The answer does not tell whether somebody else has the address; nothing is sent to them.
      if (!(await context.internalAdapter.findUserByEmail(newEmail))) {
        const token = randomBytes(18).toString('base64url')
        const expiresAt = new Date(Date.now() + lifeMs)
        await context.internalAdapter.createVerificationValue({
          identifier: identifierOf(token, newEmail),
          value: user.id,
          expiresAt,
        })
        const query = new URLSearchParams({ change: token, email: newEmail })
        await send(messages.emailChange({ email: newEmail }, `${baseUrl}/verify-email?${query.toString()}`, user.id))
      }
      await send(messages.emailChangeAsked(user, newEmail))
      return json({ status: true })
    },
  )
  const confirm = createAuthEndpoint(
    '/change-email/confirm',
    {
      method: 'POST',
      body: z.object({ newEmail: Email, token: z.string().max(100) }),
      use: [sensitiveSessionMiddleware],
      metadata: documented('confirmEmailChange', 'Confirm a new e-mail address', 'In a session of the user who asked.'),
    },
    async ({ body: { newEmail, token }, context, json }) => {
      const { user } = context.session
      const found = await context.internalAdapter.findVerificationValue(identifierOf(token, newEmail))
      if (found?.value !== user.id || found.expiresAt <= new Date())
        throw refused('INVALID_TOKEN', 'Invalid token', 'BAD_REQUEST')
      // What is pending for the old address goes with it, this link too.
      await context.internalAdapter.updateUser(user.id, { email: newEmail, emailVerified: true })
      for (const message of messages.emailChanged(user.email, newEmail)) await send(message)
      return json({ status: true })
    },
  )
  return {
    changeEmail: guard(ask, { rules: [notImpersonating], prepare: checksOwn(passwordBudget, 'password') }),
    // It ends what was mailed to the old address, which a reset locks ahead of the user.
    confirmEmailChange: guard(confirm, { rules: [notImpersonating], changesAuthority: true }),
  }
}

/** @throws APIError unless whoever asks knows the password or, where there is none, has just signed in */
async function assertOwner(context: OwnedContext, password = ''): Promise<void> {
  const { session, user } = context.session
  const account = await context.internalAdapter.findCredentialAccount(user.id)
  if (account?.password) {
    if (password !== '' && (await context.password.verify({ hash: account.password, password }))) return
    throw refused('INVALID_PASSWORD', 'Invalid password', 'BAD_REQUEST')
  }
  if (Date.now() - session.createdAt.getTime() < context.sessionConfig.freshAge * 1_000) return
  throw refused('SESSION_NOT_FRESH', 'Session is not fresh')
}

// Bound to the address: a link cannot be made to mean another one.
function identifierOf(token: string, newEmail: string): string {
  return `change-email:${token}:${newEmail}`
}
