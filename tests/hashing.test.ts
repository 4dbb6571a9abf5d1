import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockAuthority } from '../src/auth/authority.queries.ts'
import { startServiceForFile } from './harness.ts'
import { mailedToken } from './mails.ts'

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

test.each([
  ['signs up', signUp],
  ['resets their password', reset],
])('who %s holds neither a lock nor the last connection while their password is hashed', async (_what, prepare) => {
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
