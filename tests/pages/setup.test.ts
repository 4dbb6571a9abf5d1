import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { password, startService, type TestService } from '../support/harness.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const admin = () => ({ name: 'Ada Lovelace', email: `${randomUUID()}@example.com`, password })

/** A service without an admin, and the token of the link that it has logged. */
async function startFresh(env: Record<string, string> = {}): Promise<{ service: TestService; token: string }> {
  const service = await startService({ env })
  onTestFinished(service.stop)
  const link = service.logLines().find((line) => line.includes('/setup?token='))
  return { service, token: /token=([\w-]+)/.exec(link ?? '')?.[1] ?? '' }
}

const roles = ({ db }: TestService) => db.selectFrom('user').select(['email', 'role']).execute()

test('the link in the log makes the first admin, who is signed in then, and works once', async () => {
  const { service, token } = await startFresh()
  const visitor = createVisitor(service)
  const { email, ...rest } = admin()

  const page = await visitor.open(`/setup?token=${token}`)
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  const account = await visitor.submit('/setup', { token, email: email.toUpperCase(), ...rest })

  expect(account.at).toBe('/account')
  expect(textOf(account)).toContain('admin')
  expect(await roles(service)).toEqual([{ email, role: 'admin' }])
  const again = await createVisitor(service).submit('/setup', { token, ...admin() })
  expect([again.status, textOf(again)]).toEqual([404, expect.stringContaining('There is an administrator already.')])
  expect((await createVisitor(service).open(`/setup?token=${token}`)).status).toBe(404)
  expect(await roles(service)).toHaveLength(1)
})

test('another token makes nobody an admin, nor does none, and no password is hashed for it', async () => {
  const { service } = await startFresh()
  const { password: passwords } = await service.services.auth.$context
  const hash = vi.spyOn(passwords, 'hash')

  for (const token of ['x'.repeat(32), '']) await createVisitor(service).submit('/setup', { token, ...admin() })

  expect(await roles(service)).toEqual([])
  expect(hash).not.toHaveBeenCalled()
})

test('a link that is too old makes nobody an admin, and the next start makes a new one', async () => {
  const { service, token } = await startFresh()
  await service.db
    .updateTable('setup_link')
    .set({ expires_at: new Date(Date.now() - 1_000) })
    .execute()

  const visitor = createVisitor(service)
  for (const page of [
    await visitor.open(`/setup?token=${token}`),
    await visitor.submit('/setup', { token, ...admin() }),
  ]) {
    expect(textOf(page)).toContain('This link was used already, or has expired.')
    // Nobody is let fill in a form for nothing.
    expect(page.html).not.toContain('<form')
  }
  expect(await service.services.setup.offer()).toMatch(/^\/setup\?token=[\w-]{32}$/)
  expect(await service.db.selectFrom('setup_link').selectAll().execute()).toHaveLength(1)
})

test('what cannot be used is told beside its field, and the link stays good', async () => {
  const { service, token } = await startFresh()
  const visitor = createVisitor(service)

  const page = await visitor.submit('/setup', { token, name: ' ', email: 'ada', password: 'short' })

  for (const field of ['name', 'email', 'password']) expect(page.html).toContain(`id="${field}-error"`)
  expect((await visitor.submit('/setup', { token, ...admin() })).at).toBe('/account')
})

test('an address that somebody has is told, they are not promoted, and the link stays good', async () => {
  const { service, token } = await startFresh()
  const { email } = await service.createUser()

  const page = await createVisitor(service).submit('/setup', { token, ...admin(), email })
  expect(textOf(page)).toContain('Another user has this e-mail address.')
  expect(await roles(service)).toEqual([{ email, role: 'user' }])

  expect((await createVisitor(service).submit('/setup', { token, ...admin() })).at).toBe('/account')
})

test('of ten who use one link at once one becomes an admin', async () => {
  const { service, token } = await startFresh()

  const pages = await Promise.all(
    Array.from({ length: 10 }, () => createVisitor(service).submit('/setup', { token, ...admin() })),
  )

  expect(pages.filter(({ at }) => at === '/account')).toHaveLength(1)
  expect(await roles(service)).toHaveLength(1)
})

test('the token is not in the database', async () => {
  const { service, token } = await startFresh()

  expect(token).toHaveLength(32)
  expect(JSON.stringify(await service.db.selectFrom('setup_link').selectAll().execute())).not.toContain(token)
})

test('where there is an admin already there is no link and no page', async () => {
  const { service, token } = await startFresh({ ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password })

  expect(token).toBe('')
  const page = await createVisitor(service).open('/setup')
  expect(page.status).toBe(404)
  expect(textOf(page)).toContain('There is an administrator already.')
})

test('who tries one link after the other is told to wait', async () => {
  const { service } = await startFresh({ RATE_LIMIT: '6000' })
  const visitor = createVisitor(service)
  const tries = Array.from({ length: 21 }, () => visitor.submit('/setup', { token: 'x', ...admin() }))

  const statuses = (await Promise.all(tries)).map(({ status }) => status)

  expect(statuses.filter((status) => status === 429)).toHaveLength(1)
})
