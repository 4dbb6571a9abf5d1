import type { Db, Tx } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'
import { ProblemError } from '../http/problem.ts'
import { lockAuthority, lockRole } from './authority.queries.ts'
import { covers } from './permissions.ts'
import type { Principal } from './principal.ts'
import type { Roles } from './roles.ts'

/**
 * Runs a change to a user in a transaction in which neither their role nor anybody's authority can change.
 * @throws ProblemError `not-found`, or `forbidden` when the user has a permission that the principal lacks
 */
export type ActOnUser = <T>(principal: Principal, userId: string, change: (trx: Tx) => Promise<T>) => Promise<T>

export function createActOnUser(db: Db, roles: Roles): ActOnUser {
  return (principal, userId, change) =>
    inTransaction(db, async (trx) => {
      await lockAuthority(trx)
      const role = await lockRole(trx, userId)
      if (role === undefined) throw new ProblemError('not-found', 'There is no user with this id.')
      if (userId !== principal.subject && !covers(principal.permissions, roles.scopesOf(role))) {
        throw new ProblemError('forbidden', 'This user has permissions that you do not have.')
      }
      return change(trx)
    })
}
