import { randomBytes } from 'node:crypto'
import type { Db, Tx } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Messages } from '../mail/messages.ts'
import { type PasswordOwner, passwordFault } from '../resources/password.ts'
import type { Auth } from './auth.ts'
import { inAuthTransaction } from './auth-transaction.ts'
import { storePassword } from './endpoints/credential.ts'
import { endAttempts } from './endpoints/password-budget.queries.ts'

/** A user who is to be made. */
export interface NewUser {
  email: string
  name: string
  role: string
  emailVerified: boolean
  /** Without one the user is sent a link to choose it. */
  password: string | undefined
}

/** Makes users and their passwords, through Better-Auth and all in one transaction. */
export interface UserAccounts {
  /**
   * Makes a user. `before` runs first, in the same transaction.
   * @returns the id
   * @throws ProblemError `weak-password` for a password that nobody may choose, `conflict` when the address is taken
   */
  create: (user: NewUser, before?: (trx: Tx) => Promise<void>) => Promise<string>
  /**
   * Sets a password; the sessions of the user end, and they are told.
   * @throws ProblemError `weak-password`, and `not-found` where there is no such user
   */
  setPassword: (userId: string, password: string) => Promise<void>
}

interface Dependencies {
  db: Db
  auth: Auth
  mailer: Mailer
  messages: Messages
  baseUrl: string
}

const invitationMs = 7 * 24 * 3_600_000

/** Makes the way to users and passwords of one Better-Auth instance. */
export function createUserAccounts({ db, auth, mailer, messages, baseUrl }: Dependencies): UserAccounts {
  /** Makes what a mailed link is worth, in the transaction under way. */
  async function inviteToken(userId: string): Promise<string> {
    const { internalAdapter } = await auth.$context
    const token = randomBytes(18).toString('base64url')
    await internalAdapter.createVerificationValue({
      identifier: `reset-password:${token}`,
      value: userId,
      expiresAt: new Date(Date.now() + invitationMs),
    })
    return token
  }

  return {
    async create({ password, ...user }, before) {
      const context = await auth.$context
      assertPassword(password, { email: user.email, brand: context.appName })
      const hash = password === undefined ? undefined : await context.password.hash(password)
      const { id, token } = await inAuthTransaction(db, context.options, async (trx) => {
        await before?.(trx)
        if (await context.internalAdapter.findUserByEmail(user.email)) throw taken()
        const created = await context.internalAdapter.createUser({ ...user }, { method: 'admin' })
        if (hash !== undefined) {
          await context.internalAdapter.linkAccount({
            userId: created.id,
            providerId: 'credential',
            accountId: created.id,
            password: hash,
          })
        }
        return { id: created.id, token: hash === undefined ? await inviteToken(created.id) : undefined }
      })
      if (token !== undefined) {
        mailer.send(messages.invitation(user, `${baseUrl}/reset-password?token=${token}`))
      }
      return id
    },
    async setPassword(userId, password) {
      const context = await auth.$context
      const { internalAdapter } = context
      const user = await internalAdapter.findUserById(userId)
      if (!user) throw new ProblemError('not-found', 'There is no user with this id.')
      assertPassword(password, { email: user.email, brand: context.appName })
      const hash = await context.password.hash(password)
      await inAuthTransaction(db, context.options, async (trx) => {
        await storePassword(internalAdapter, userId, await internalAdapter.findCredentialAccount(userId), hash)
        // Whoever has it from an administrator has been kept out, maybe, while they tried.
        await endAttempts(trx, user.email)
      })
      mailer.send(messages.passwordChanged(user))
    },
  }
}

function assertPassword(password: string | undefined, owner: PasswordOwner): void {
  const fault = password === undefined ? undefined : passwordFault(password, owner)
  if (fault) throw new ProblemError('weak-password', `The password ${fault.detail}.`)
}

function taken(): ProblemError {
  return new ProblemError('conflict', 'Another user has this e-mail address.')
}
