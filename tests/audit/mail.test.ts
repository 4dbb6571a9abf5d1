import { expect, test } from 'vitest'
import { by, createAuditedCalls, whoOf } from '../support/audit.ts'
import { createDoors } from '../support/doors.ts'
import { startServiceForFile } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { startMailServer } from '../support/mail-server.ts'

const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
const { db } = service
const { createMember } = await createDoors(service)
const { auth } = createAuditedCalls(service)

test('an address that a mailed reset confirms has its event, and a way to sign in that goes with that', async () => {
  const user = await createMember()
  await db.updateTable('user').set({ email_verified: false }).where('id', '=', user.id).execute()
  await linkAccount(db, user.id)
  await auth('/request-password-reset', { email: user.email })
  const tokens = () => mails.flatMap(({ content }) => /reset-password\?token=([\w-]+)/.exec(content)?.[1] ?? [])
  await expect.poll(() => tokens().length, { timeout: 5_000 }).toBe(1)

  const reset = await auth('/reset-password', { token: tokens()[0], newPassword: 'quite another secret' })

  expect(whoOf(reset)).toEqual(
    ['session.ended', 'password.reset', 'account.unlinked', 'user.email_verified'].map((action) =>
      by(user, action, user),
    ),
  )
  expect(reset.rows[3]?.changes).toEqual({ emailVerified: { from: false, to: true } })
})
