import { z } from 'zod'
import { lockAuthority } from '../auth/authority/authority.queries.ts'
import { auditedAs } from '../db/audit-context.ts'
import { inTransaction } from '../db/transaction.ts'
import { Password } from '../resources/password.ts'
import { Email, nameFrom } from '../resources/profile.ts'
import type { Services } from '../services.ts'
import { findByEmail, grantRole, listAdmins } from './admin.queries.ts'
import { verifyAuditLog } from './audit-log.ts'
import { endAllSessions } from './end-sessions.ts'

const fields = { email: Email, password: Password }

const NotedHead = z.string().regex(/^\d{1,15}:[\da-f]{64}$/, 'is no head as "audit verify" prints it')

/** What the command line can ask for. */
export const AdminCommand = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('create'), ...fields }),
  z.strictObject({ command: z.literal('reset-password'), ...fields }),
  z.strictObject({ command: z.literal('grant'), email: Email, role: z.string() }),
  z.strictObject({ command: z.literal('list') }),
  z.strictObject({ command: z.literal('end-sessions') }),
  z.strictObject({ command: z.literal('audit verify'), since: NotedHead.optional() }),
])
export type AdminCommand = z.infer<typeof AdminCommand>

/** A command that cannot be carried out; the message says why. */
export class AdminCommandError extends Error {
  override name = 'AdminCommandError'
}

type AdminServices = Pick<Services, 'db' | 'roles' | 'userAccounts' | 'config'>

/**
 * Carries out a command of the operator, who is not held to any permission.
 * @returns what to print
 * @throws AdminCommandError, or ProblemError when a rule of the database forbids it
 */
export function runAdminCommand(services: AdminServices, command: AdminCommand): Promise<string> {
  return auditedAs({ actorType: 'system', actorId: 'cli' }, () => carryOut(services, command))
}

async function carryOut(services: AdminServices, command: AdminCommand): Promise<string> {
  const { db, roles, userAccounts, config } = services
  switch (command.command) {
    case 'create': {
      const { email, password } = command
      if (await findByEmail(db, email)) {
        throw new AdminCommandError(
          `${email} is registered already, by whom this does not know. If you do, make that user an admin: grant ${email} admin`,
        )
      }
      await userAccounts.create({
        email,
        password,
        name: nameFrom(undefined, email),
        role: 'admin',
        emailVerified: true,
      })
      return `${email} is an admin now.`
    }
    case 'reset-password': {
      const user = await existing(db, command.email)
      await userAccounts.setPassword(user.id, command.password)
      return `The password of ${command.email} was set; their sessions have ended.`
    }
    case 'grant': {
      const { role } = command
      if (!roles.names.includes(role))
        throw new AdminCommandError(`There is no role "${role}": ${roles.names.join(', ')}`)
      const user = await existing(db, command.email)
      await inTransaction(db, async (trx) => {
        await lockAuthority(trx)
        await grantRole(trx, user.id, role)
      })
      return `${command.email} has the role ${role} now.`
    }
    case 'end-sessions':
      return `The sessions, tokens and mailed links of all ${await endAllSessions(db)} users have ended.`
    case 'audit verify': {
      const { isWhole, message } = await verifyAuditLog(db, command.since, config.auditRetentionDays)
      if (!isWhole) throw new AdminCommandError(message)
      return message
    }
    case 'list': {
      const admins = await listAdmins(db)
      if (admins.length === 0) return 'There is no admin yet.'
      return admins
        .map(({ id, email, name, banned }) => `${email}  ${name}  ${id}${banned ? '  (banned)' : ''}`)
        .join('\n')
    }
  }
}

async function existing(db: Services['db'], email: string): Promise<{ id: string }> {
  const user = await findByEmail(db, email)
  if (!user) throw new AdminCommandError(`There is no user ${email}.`)
  return user
}
