import type { BetterAuthOptions } from 'better-auth'
import type { Db } from '../db/database.ts'
import type { Messages } from '../mail/messages.ts'
import { findOwnerOfSeveral } from './account.queries.ts'
import type { SendAfterCommit } from './mail-callbacks.ts'
import type { Provider } from './providers.ts'

interface Dependencies {
  db: Db
  send: SendAfterCommit
  messages: Messages
  providers: readonly Provider[]
}

/** Tells people when another way to sign in to their account is added. */
export function accountHooks({ db, send, messages, providers }: Dependencies) {
  const nameOf = (id: string) => providers.find((provider) => provider.id === id)?.name ?? id
  return {
    account: {
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
