import type { BetterAuthOptions } from 'better-auth'
import type { Db } from '../../db/database.ts'
import type { Messages } from '../../mail/messages.ts'
import { refused } from '../endpoint.ts'
import type { Provider } from '../providers/providers.ts'
import { freshSeconds } from '../session-cookie.ts'
import { findOwnerOfSeveral, findWaysIn } from './account.queries.ts'
import type { Rule } from './guard.ts'
import { holdActor } from './hold-actor.ts'
import type { SendAfterCommit } from './mail-callbacks.ts'

interface Dependencies {
  db: Db
  send: SendAfterCommit
  messages: Messages
  providers: readonly Provider[]
}

/** Refuses to remove the last way in: one with a provider that is configured no more is none. */
export function keepsWayIn(providers: readonly Provider[]): Rule {
  return async ({ db, actor, body }) => {
    const ways = await findWaysIn(
      db,
      actor.id,
      providers.map(({ id }) => id),
    )
    if (ways.every((id) => id === body['accountId']))
      throw refused('FAILED_TO_UNLINK_LAST_ACCOUNT', 'This is the last way to sign in', 'BAD_REQUEST')
  }
}

/** Lets only who has just signed in add a way to do so, as Better-Auth does where one is removed. */
export const hasJustSignedIn: Rule = ({ actor }) => {
  const signedInAt = actor.session_created_at?.getTime() ?? 0
  if (Date.now() - signedInAt >= freshSeconds * 1_000) throw refused('SESSION_NOT_FRESH', 'Session is not fresh')
}

/** Lets only who is still signed in change a password; tells people when another way to sign in is added. */
export function accountHooks({ db, send, messages, providers }: Dependencies) {
  const nameOf = (id: string) => providers.find((provider) => provider.id === id)?.name ?? id
  return {
    account: {
      update: {
        // As with a deletion: a reset while the old password was checked, and the new one hashed, counts.
        before: async ({ password }, ctx) => {
          const session = ctx?.context.session
          if (password !== undefined && session) await holdActor(session.user)
        },
      },
      create: {
        after: async ({ userId, providerId }) => {
          // The first one is how the account came to be.
          const owner = providerId === 'credential' ? undefined : await findOwnerOfSeveral(db, userId)
          if (owner) await send(messages.methodLinked(owner, nameOf(providerId)))
        },
      },
    },
  } satisfies BetterAuthOptions['databaseHooks']
}
