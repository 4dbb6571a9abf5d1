import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { by, createAuditedCalls, whoOf } from '../support/audit.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile()
const { db } = service
const { createMember } = await createDoors(service)
const { auth } = createAuditedCalls(service)
const newEmail = () => `${randomUUID()}@example.com`
const newPassword = 'quite another secret'

/** Somebody with a password, and an account at a provider. */
async function createLinked(): Promise<SignedIn & Record<'linkedId' | 'accountId', string>> {
  const user = await createMember()
  const { id: linkedId, account_id: accountId } = await linkAccount(db, user.id)
  return { ...user, linkedId, accountId }
}

const unlinked = (accountId: string) => ({
  providerId: { from: 'github', to: null },
  accountId: { from: accountId, to: null },
})

describe('an address has its events', () => {
  test('when it is changed by the mailed link, and not when that is asked for', async () => {
    const [user, email] = [await createMember(), newEmail()]
    const asked = await auth('/change-email', { newEmail: email, password }, user.cookie)
    expect(asked.rows).toEqual([])

    const token = mailedToken(service, email)
    const confirmed = await auth('/change-email/confirm', { newEmail: email, token }, user.cookie)
    expect(whoOf(confirmed)).toEqual([by(user, 'user.email_changed', user)])
    expect(confirmed.rows[0]?.changes).toEqual({ email: { from: user.email, to: email } })
  })

  /** Somebody whose address is not confirmed yet, and the token of the link for it. */
  async function createUnconfirmed() {
    const user = await createLinked()
    // The password is of this very second, as that of no sign-up is.
    await db.updateTable('user').set({ email_verified: false, valid_after: null }).where('id', '=', user.id).execute()
    await auth('/send-verification-email', { email: user.email })
    return { ...user, linkToken: mailedToken(service, user.email) }
  }

  test('when it is confirmed, with the password of the account', async () => {
    const user = await createUnconfirmed()
    const { rows, response } = await auth('/verify-email', { token: user.linkToken, password })
    expect(whoOf({ rows, response })).toEqual([by(user, 'user.email_verified', user)])
    expect(rows[0]?.changes).toEqual({ emailVerified: { from: false, to: true } })
  })

  test('when it is confirmed with another one, and what that replaces', async () => {
    const user = await createUnconfirmed()
    const { rows, response } = await auth('/verify-email', { token: user.linkToken, password: newPassword })
    expect(whoOf({ rows, response })).toEqual(
      ['session.ended', 'password.reset', 'account.unlinked', 'user.email_verified'].map((action) =>
        by(user, action, user),
      ),
    )
    expect([rows[0]?.reason, rows[2]?.changes]).toEqual(['password', unlinked(user.accountId)])
  })
})

describe('a password that is reset by the mailed link has its events', () => {
  test('of the user, though somebody else is signed in in that browser', async () => {
    const [user, other] = [await createMember(), await createMember()]
    const asked = await auth('/request-password-reset', { email: user.email }, other.cookie)
    expect(asked.rows).toEqual([])

    const token = mailedToken(service, user.email)
    const reset = await auth('/reset-password', { token, newPassword }, other.cookie)
    expect(whoOf(reset)).toEqual([by(user, 'session.ended', user), by(user, 'password.reset', user)])
    expect(reset.rows[0]?.reason).toBe('password')
    expect(reset.rows[1]?.changes).toEqual({})
  })

  test('or as the first one, where there was none', async () => {
    const user = await service.createSignedIn()
    await auth('/request-password-reset', { email: user.email })
    const reset = await auth('/reset-password', { token: mailedToken(service, user.email), newPassword })
    expect(whoOf(reset)).toEqual([by(user, 'session.ended', user), by(user, 'password.set', user)])
  })
})

test('a way to sign in that is removed has its event', async () => {
  const user = await createLinked()
  const { rows, response } = await auth('/unlink-account', { accountId: user.linkedId }, user.cookie)
  expect(whoOf({ rows, response })).toEqual([by(user, 'account.unlinked', user)])
  expect(rows[0]?.changes).toEqual(unlinked(user.accountId))
})
