import { getCurrentAuthEndpointContext } from '@better-auth/core/context'
import { currentTransaction } from '../auth-transaction.ts'
import { holdAuthority, lockAuthority } from '../authority/authority.queries.ts'
import { unauthorized } from '../endpoint.ts'

/**
 * Lets whoever changes what signs in to their account, or deletes it, queue with every other change of authority. Called
 * once the password is checked, which takes too long to be done while others wait, and before anything is written.
 * @throws APIError `UNAUTHORIZED` when the user was banned meanwhile, or their session ended
 */
export async function holdActor({ id }: { id: string }): Promise<void> {
  const trx = currentTransaction()
  const { session } = getCurrentAuthEndpointContext().context
  await lockAuthority(trx)
  const actor = await holdAuthority(trx, id, session?.session.id ?? null)
  if (!actor?.session_id || actor.banned) throw unauthorized()
}
