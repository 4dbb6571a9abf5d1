import { createHash, randomBytes } from 'node:crypto'
import { lockAuthority } from '../auth/authority/authority.queries.ts'
import type { NewUser, UserAccounts } from '../auth/user-accounts.ts'
import type { Db } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import { insertSetupLink, isSetupLinkGood, listAdmins, takeSetupLink } from './admin.queries.ts'

const lifeMs = 3_600_000

/** Makes the first admin in a browser, by a link that only who reads the log has. */
export interface Setup {
  /** The path of a new link; undefined once there is an admin. It works once, within an hour. */
  offer: () => Promise<string | undefined>
  /** Whether nobody is an admin yet. */
  isOpen: () => Promise<boolean>
  /** Whether a link would make an admin now. */
  isGood: (token: string) => Promise<boolean>
  /**
   * Makes the admin.
   * @throws ProblemError `not-found` when the link is used or too old, or there is an admin; `conflict` when the address
   *   is taken, and the link stays good
   */
  complete: (token: string, admin: Pick<NewUser, 'email' | 'name' | 'password'>) => Promise<void>
}

export function createSetup(db: Db, userAccounts: UserAccounts): Setup {
  const isOpen = async () => (await listAdmins(db)).length === 0
  const isGood = (token: string) => isSetupLinkGood(db, hashOf(token))
  return {
    isOpen,
    isGood,
    async offer() {
      if (!(await isOpen())) return undefined
      const token = randomBytes(24).toString('base64url')
      await insertSetupLink(db, hashOf(token), new Date(Date.now() + lifeMs))
      return `/setup?token=${token}`
    },
    async complete(token, admin) {
      // Before a password is hashed for whoever comes, and once more when nobody can come between.
      if (!(await isGood(token))) throw used()
      await userAccounts.create({ ...admin, role: 'admin', emailVerified: true }, async (trx) => {
        await lockAuthority(trx)
        if (!(await takeSetupLink(trx, hashOf(token)))) throw used()
      })
    },
  }
}

function used(): ProblemError {
  return new ProblemError('not-found', 'This link was used already, or has expired.')
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
