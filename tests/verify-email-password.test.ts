import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startServiceForFile } from './harness.ts'
import { startMailServer } from './mail-server.ts'
import { createVisitor, newUser } from './visitor.ts'

// Who confirms an address with a password, in another browser than that of the sign-up.

const query = vi.spyOn(pg.Client.prototype, 'query')
const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
const { db } = service
const { password: passwords } = await service.services.auth.$context

/** Somebody who has signed up, and the token that they were mailed. */
async function signUp() {
  const [visitor, user] = [createVisitor(service), newUser()]
  await visitor.submit('/sign-up', user)
  const token = () =>
    mails
      .filter(({ to }) => to.includes(user.email))
      .map(({ content }) => /\/verify-email\?token=(\S+)/.exec(content)?.[1])
      .at(0)
  await expect.poll(token, { timeout: 5_000 }).toBeDefined()
  return { visitor, user, token: token() ?? '' }
}

async function confirm(json: { token: string; password: string }): Promise<[number, unknown]> {
  const response = await service.request('/api/auth/verify-email', { json, headers: { origin: service.baseUrl } })
  return [response.status, await response.json()]
}

const stateOf = (email: string) =>
  db
    .selectFrom('account')
    .innerJoin('user', 'user.id', 'account.user_id')
    .select(['email_verified', 'password'])
    .where('email', '=', email)
    .executeTakeFirstOrThrow()

describe('while a password is computed', () => {
  const another = 'another password'

  test.each([
    ['of the sign-up', undefined, ['verify']],
    ['that is new', another, ['verify', 'hash']],
  ])('one %s holds no transaction', async (_which, given, expected) => {
    const { user, token } = await signUp()
    const computed: string[] = []
    for (const name of ['verify', 'hash'] as const) {
      const original = passwords[name] as (input: unknown) => Promise<never>
      const spy = vi.spyOn(passwords, name).mockImplementation((input: unknown) => {
        computed.push(name)
        return original(input)
      })
      onTestFinished(() => spy.mockRestore())
    }
    query.mockClear()

    const answer = await confirm({ token, password: given ?? user.password })

    expect([answer, computed]).toEqual([[200, { status: true }], expected])
    const begins = query.mock.invocationCallOrder.filter((_, i) =>
      /^(begin|start)/i.test(String(query.mock.calls[i]?.[0])),
    )
    const calls = [vi.mocked(passwords.verify), vi.mocked(passwords.hash)].flatMap(
      (spy) => spy.mock.invocationCallOrder,
    )
    expect(begins).toHaveLength(1)
    expect(Math.max(...calls)).toBeLessThan(begins[0] ?? 0)
  })

  test('a password that is changed meanwhile stays, and the address is not confirmed', async () => {
    const { user, token } = await signUp()
    const { verify } = passwords
    const spy = vi.spyOn(passwords, 'verify').mockImplementation(async (given) => {
      const ids = db.selectFrom('user').select('id').where('email', '=', user.email)
      await db.updateTable('account').set({ password: 'changed' }).where('user_id', 'in', ids).execute()
      return verify(given)
    })
    onTestFinished(() => spy.mockRestore())

    expect(await confirm({ token, password: another })).toMatchObject([409, { code: 'PASSWORD_CHANGED' }])

    expect(await stateOf(user.email)).toEqual({ email_verified: false, password: 'changed' })
  })
})
