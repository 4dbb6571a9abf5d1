import { lockAuthority } from '../auth/authority/authority.queries.ts'
import { ConfigError } from '../config.ts'
import { auditedAs } from '../db/audit-context.ts'
import { ProblemError } from '../http/problem.ts'
import type { Services } from '../services.ts'
import { findByEmail, listAdmins } from './admin.queries.ts'

/**
 * Makes the admin of ADMIN_EMAIL and ADMIN_PASSWORD while there is none. A user who has that address already is never
 * promoted: anybody may have registered it.
 * @throws ConfigError for a password that does not suit its owner or this service
 */
export async function createFirstAdmin({ config, db, log, userAccounts }: Services): Promise<void> {
  if (!config.admin || (await listAdmins(db)).length > 0) return
  const { email, password } = config.admin
  const user = { email, password, name: 'Administrator', role: 'admin', emailVerified: true }
  try {
    await auditedAs({ actorType: 'system', actorId: 'boot' }, () =>
      userAccounts.create(user, async (trx) => {
        await lockAuthority(trx)
        // Another instance that starts beside this one may have made it meanwhile.
        if ((await listAdmins(trx)).length > 0) throw new ProblemError('conflict')
      }),
    )
    log.info('the first admin was created from ADMIN_EMAIL')
  } catch (error) {
    if (error instanceof ProblemError && error.slug === 'weak-password')
      throw new ConfigError([`ADMIN_PASSWORD: ${error.message}`])
    if (!(error instanceof ProblemError) || error.slug !== 'conflict') throw error
    if ((await findByEmail(db, email))?.role !== 'admin') {
      log.warn(
        'ADMIN_EMAIL belongs to a user who is not an admin: nobody was promoted. Whoever registered it may be a stranger: use another address, or `npm run admin -- grant` if you know them',
      )
    }
  }
}
