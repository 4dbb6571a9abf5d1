import type { Db, Tx } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'
import { ProblemError } from '../http/problem.ts'
import { noSuchUser } from '../resources/user.ts'
import { lockAuthority, lockRole } from './authority/authority.queries.ts'
import { holdClient } from './oauth/oauth.queries.ts'
import { covers } from './permissions.ts'
import { type Authenticated, assertStillAuthorized } from './principal.ts'
import type { Roles } from './roles.ts'

interface ActOptions {
  /** What the owner of an account may do with it, whatever else they may not: who asks for themselves is the owner. */
  asOwner?: boolean
  /** Off for a change of one's own that is none of role, ban or existence: it need not queue with those. */
  changesAuthority?: boolean
}

/**
 * Runs a change to a user in a transaction in which neither their role nor anybody's authority can change.
 * @throws ProblemError `not-found`; `forbidden` when the user has a permission that the principal lacks; or what
 *   `assertStillAuthorized` throws
 */
export type ActOnUser = <T>(
  authenticated: Authenticated,
  userId: string,
  change: (trx: Tx) => Promise<T>,
  options?: ActOptions,
) => Promise<T>

/** Makes the one way in which `/api/v1` changes a user. */
export function createActOnUser(db: Db, roles: Roles): ActOnUser {
  return (authenticated, userId, change, { asOwner = false, changesAuthority = true } = {}) =>
    inTransaction(db, async (trx) => {
      const { principal } = authenticated
      const isSelf = userId === principal.subject
      if (changesAuthority || !isSelf) await lockAuthority(trx)
      await holdClient(trx, principal.clientId)
      const role = await lockRole(trx, userId)
      if (role === undefined) throw noSuchUser()
      await assertStillAuthorized(trx, roles, authenticated)
      // An application has less than who lends it some of their permissions, and must not come by the rest.
      if (!(isSelf && asOwner) && !covers(principal.permissions, roles.scopesOf(role))) {
        throw new ProblemError('forbidden', 'This user has permissions that you do not have.')
      }
      return change(trx)
    })
}
