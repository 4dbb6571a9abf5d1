import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockAuthority } from '../../src/auth/authority.queries.ts'
import { startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile()
const context = await service.services.auth.$context
const headers = { origin: service.baseUrl }

async function signUp() {
  const json = { email: `${randomUUID()}@example.com`, name: 'Ada', password: 'correct horse battery' }
  return () => service.request('/api/auth/sign-up/email', { headers, json })
}

async function reset() {
  const { email } = await service.createUser()
  await service.request('/api/auth/request-password-reset', { headers, json: { email } })
  const json = { token: mailedToken(service, email), newPassword: 'a better horse battery' }
  return () => service.request('/api/auth/reset-password', { headers, json })
}

async function create() {
  const { cookie } = await service.createSignedIn('admin')
  const json = { email: `${randomUUID()}@example.com`, name: 'Ada', password: 'correct horse battery', role: 'user' }
  return () => service.request('/api/auth/admin/create-user', { cookie, json })
}

test.each([
  ['signs up', signUp],
  ['makes a user', create],
  ['resets their password', reset],
])('who %s holds neither a lock nor the last connection while a password is hashed', async (_what, prepare) => {
  const send = await prepare()
  const { hash } = context.password
  const hashing = vi.spyOn(context.password, 'hash').mockImplementation(async (password) => {
    await service.db.transaction().execute(async (trx) => {
      await lockAuthority(trx)
      await sql`lock table verification, "user"`.execute(trx)
    })
    return hash(password)
  })
  onTestFinished(() => hashing.mockRestore())

  const { status } = await send()

  expect(status).toBe(200)
  expect(hashing).toHaveBeenCalledOnce()
})

test.each([
  ['/sign-up/email', { email: 'eve@example.com', name: 'Eve', password: 'correct horse battery' }, 400],
  ['/admin/create-user', { email: 'eve@example.com', name: 'Eve', password: 'correct horse battery' }, 401],
  ['/reset-password', { token: 'guessed', newPassword: 'correct horse battery' }, 400],
])('%s hashes nothing for who may not ask for it', async (path, json, expected) => {
  const closed = await startService({ env: { SIGN_UP: 'closed' } })
  onTestFinished(() => closed.stop())
  const { password } = await closed.services.auth.$context
  const hashing = vi.spyOn(password, 'hash')

  const { status } = await closed.request(`/api/auth${path}`, { headers: { origin: closed.baseUrl }, json })

  expect([status, hashing.mock.calls.length]).toEqual([expected, 0])
})
