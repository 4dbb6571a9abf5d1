import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockAuthority } from '../../src/auth/authority/authority.queries.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile()
const context = await service.services.auth.$context
const { createMember } = await createDoors(service)
const newPassword = 'a better horse battery'
const somebody = () => ({ email: `${randomUUID()}@example.com`, name: 'Eve', password: 'correct horse battery' })

const ask = (path: string, json: object, cookie?: string) =>
  service.request(`/api/auth${path}`, { ...(cookie ? { cookie } : { headers: { origin: service.baseUrl } }), json })

async function resetTokenOf({ email }: SignedIn): Promise<string> {
  await ask('/request-password-reset', { email })
  return mailedToken(service, email)
}

/** Does what an endpoint needs to be let do, whenever something is hashed or checked: with a lock, on a connection. */
function watchHashing() {
  const work = vi.fn<() => Promise<void>>(() =>
    service.db.transaction().execute(async (trx) => {
      await lockAuthority(trx)
      await sql`lock table verification, "user"`.execute(trx)
    }),
  )
  for (const name of ['hash', 'verify'] as const) {
    const original = context.password[name] as (input: unknown) => Promise<never>
    const spy = vi.spyOn(context.password, name).mockImplementation(async (input: unknown) => {
      await work()
      return original(input)
    })
    onTestFinished(() => spy.mockRestore())
  }
  return work
}

test.each<[string, number, (user: SignedIn) => Promise<() => Promise<Response>> | (() => Promise<Response>)]>([
  ['signs up', 1, () => () => ask('/sign-up/email', somebody())],
  [
    'resets their password',
    1,
    async (user) => {
      const token = await resetTokenOf(user)
      return () => ask('/reset-password', { token, newPassword })
    },
  ],
  [
    'changes their password',
    2,
    ({ cookie }) =>
      () =>
        ask('/change-password', { currentPassword: password, newPassword }, cookie),
  ],
  [
    'asks for another address',
    1,
    ({ cookie }) =>
      () =>
        ask('/change-email', { newEmail: somebody().email, password }, cookie),
  ],
  [
    'deletes their account',
    1,
    ({ cookie }) =>
      () =>
        ask('/delete-user', { password }, cookie),
  ],
  [
    'makes a user',
    1,
    async () => {
      const { cookie } = await service.createSignedIn('admin')
      return () => ask('/admin/create-user', { ...somebody(), role: 'user' }, cookie)
    },
  ],
])('who %s holds neither a lock nor a connection while a password is hashed', async (_what, times, prepare) => {
  const send = await prepare(await createMember())
  const work = watchHashing()

  const { status } = await send()

  expect([status, work.mock.calls.length]).toEqual([200, times])
})

test.each<[string, object]>([
  ['/change-password', { currentPassword: 'not this one', newPassword }],
  ['/change-email', { newEmail: 'eve@example.com', password: 'not this one' }],
  ['/delete-user', { password: 'not this one' }],
])('%s holds neither, nor hashes more, for a wrong password', async (path, json) => {
  const { cookie } = await createMember()
  const work = watchHashing()

  const response = await ask(path, json, cookie)

  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'INVALID_PASSWORD' })
  expect(work).toHaveBeenCalledOnce()
})

test.each<[string, number, () => Promise<Response>]>([
  ['a reset by who guesses', 400, () => ask('/reset-password', { token: 'guessed', newPassword })],
  ['a user made by a stranger', 401, () => ask('/admin/create-user', somebody())],
  [
    'a user made by an ordinary user',
    403,
    async () => ask('/admin/create-user', somebody(), (await createMember()).cookie),
  ],
  [
    'a user whose password is too long',
    400,
    async () => {
      const { cookie } = await service.createSignedIn('admin')
      return ask('/admin/create-user', { ...somebody(), password: 'x'.repeat(60_000), role: 'user' }, cookie)
    },
  ],
])('nothing is hashed for %s', async (_what, expected, send) => {
  const work = watchHashing()

  const { status } = await send()

  expect([status, work.mock.calls.length]).toEqual([expected, 0])
})

test('nothing is hashed for a sign-up that is closed', async () => {
  const closed = await startService({ env: { SIGN_UP: 'closed' } })
  onTestFinished(() => closed.stop())
  const hashing = vi.spyOn((await closed.services.auth.$context).password, 'hash')

  const { status } = await closed.request('/api/auth/sign-up/email', {
    headers: { origin: closed.baseUrl },
    json: somebody(),
  })

  expect([status, hashing.mock.calls.length]).toEqual([400, 0])
})

test('a link that is no good is not used up outside a transaction, where it would wait for those within', async () => {
  const consume = vi.spyOn(context.internalAdapter, 'consumeVerificationValue')
  onTestFinished(() => consume.mockRestore())

  expect((await ask('/reset-password', { token: 'guessed', newPassword })).status).toBe(400)

  expect(consume).not.toHaveBeenCalled()
})

test('who has no password is told so when they change it, and nothing is hashed', async () => {
  const { cookie } = await service.createSignedIn()
  const work = watchHashing()

  const response = await ask('/change-password', { currentPassword: password, newPassword }, cookie)

  expect([response.status, await response.json()]).toMatchObject([400, { code: 'CREDENTIAL_ACCOUNT_NOT_FOUND' }])
  expect(work).not.toHaveBeenCalled()
})

test.each(['', 'salt', ':key', 'salt:'])(
  'what is stored as %j is no hash, which is an error and no wrong password',
  async (hash) => {
    await expect(context.password.verify({ hash, password })).rejects.toThrow('is none')
  },
)
