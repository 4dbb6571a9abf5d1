import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'

const service = await startServiceForFile()
const { auth, createMember } = await createDoors(service)
const another = () => `${randomUUID()}@example.com`
const emailOf = async (id: string) =>
  (await service.db.selectFrom('user').select('email').where('id', '=', id).executeTakeFirst())?.email

test('to the address that one has is no change', async () => {
  const ada = await createMember()

  expect(await auth(ada, '/change-email', { newEmail: ada.email, password })).toMatchObject({
    status: 400,
    refusal: 'SAME_EMAIL',
  })
  expect(mailsTo(service, ada.email)).toEqual([])
})

test.each([undefined, '', 'not this one'])(
  'by who has a password is refused with %j, however fresh the session',
  async (given) => {
    const [ada, newEmail] = [await createMember(), another()]

    expect(await auth(ada, '/change-email', { newEmail, password: given })).toMatchObject({
      status: 400,
      refusal: 'INVALID_PASSWORD',
    })
    expect(mailsTo(service, newEmail)).toEqual([])
  },
)

test('to an address that is taken is answered alike, mailed to nobody there, and told at the old one', async () => {
  const [ada, eve, newEmail] = [await createMember(), await createMember(), another()]
  const answers = []
  for (const email of [eve.email, newEmail])
    answers.push(await auth(ada, '/change-email', { newEmail: email, password }))

  expect(answers[0]).toEqual(answers[1])
  expect([eve.email, newEmail].map((email) => mailsTo(service, email).length)).toEqual([0, 1])
  expect(mailsTo(service, ada.email)).toHaveLength(2)
})

test('is not confirmed by a link that has ended', async () => {
  const [ada, newEmail] = [await createMember(), another()]
  await auth(ada, '/change-email', { newEmail, password })
  const confirm = { newEmail, token: mailedToken(service, newEmail) }
  const expireAt = (at: Date) =>
    service.db.updateTable('verification').set({ expires_at: at }).where('value', '=', ada.id).execute()

  await expireAt(new Date(Date.now() - 1_000))
  expect(await auth(ada, '/change-email/confirm', confirm)).toMatchObject({ status: 400, refusal: 'INVALID_TOKEN' })
  expect(await emailOf(ada.id)).toBe(ada.email)
})

test('is not begun where nothing can be mailed', async () => {
  const mute = await startService({ env: { BETTER_AUTH_URL: 'https://auth.example.com' } })
  onTestFinished(mute.stop)
  const doors = await createDoors(mute)
  const ada = await doors.createMember()

  expect(await doors.auth(ada, '/change-email', { newEmail: another(), password })).toMatchObject({
    status: 501,
    refusal: 'MAIL_NOT_CONFIGURED',
  })
})
