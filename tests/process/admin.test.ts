import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AdminCommand, AdminCommandError, runAdminCommand } from '../../src/admin/commands.ts'
import {
  createTestDatabase,
  password,
  type SignedIn,
  startService,
  startServiceForFile,
  type TestService,
} from '../support/harness.ts'
import { mailsTo } from '../support/mails.ts'

const service = await startServiceForFile()
const run = (command: AdminCommand) => runAdminCommand(service.services, command)
const newEmail = () => `${randomUUID()}@example.com`

async function signIn(of: TestService, email: string, secret: string): Promise<number> {
  const json = { email, password: secret }
  return (await of.request('/api/auth/sign-in/email', { json, headers: { origin: of.baseUrl } })).status
}

const admins = ({ db }: TestService) =>
  db.selectFrom('user').select(['email', 'role']).where('role', '=', 'admin').execute()

describe('ADMIN_EMAIL and ADMIN_PASSWORD', () => {
  const env = { ADMIN_EMAIL: 'Root@Example.com', ADMIN_PASSWORD: password }

  test('make the first admin, once', async () => {
    const database = await createTestDatabase()
    onTestFinished(database.remove)
    const first = await startService({ env, database })
    onTestFinished(() => first.stop())

    expect(await admins(first)).toEqual([{ email: 'root@example.com', role: 'admin' }])
    expect(await signIn(first, 'root@example.com', password)).toBe(200)
    expect(first.logLines().join('\n')).not.toContain(password)
    await first.stop()

    const changed = { ADMIN_EMAIL: 'other@example.com', ADMIN_PASSWORD: 'another password' }
    const second = await startService({ env: changed, database })
    onTestFinished(() => second.stop())
    expect(await admins(second)).toEqual([{ email: 'root@example.com', role: 'admin' }])
    expect(await signIn(second, 'root@example.com', password)).toBe(200)
  })

  test('E-21 never promote a user who has the address already, and say so once', async () => {
    const database = await createTestDatabase()
    onTestFinished(database.remove)
    const before = await startService({ database })
    await before.createUser({ email: 'root@example.com' })
    await before.stop()

    const after = await startService({ env, database })
    onTestFinished(() => after.stop())

    expect(await admins(after)).toEqual([])
    expect(await signIn(after, 'root@example.com', password)).toBe(401)
    const warnings = after.logLines().filter((line) => line.includes('ADMIN_EMAIL'))
    expect(warnings).toEqual([expect.stringMatching(/"level":40.*nobody was promoted.*npm run admin -- grant/)])
  })
})

describe('the command', () => {
  test('create makes an admin who can sign in', async () => {
    const email = newEmail()

    expect(await run({ command: 'create', email, password })).toBe(`${email} is an admin now.`)
    expect(await admins(service)).toContainEqual({ email, role: 'admin' })
    expect(await signIn(service, email, password)).toBe(200)
  })

  test('create makes an admin of an address that is longer than a name may be', async () => {
    const email = `${'a'.repeat(230)}@example.com`

    await run({ command: 'create', email, password })

    expect(await admins(service)).toContainEqual({ email, role: 'admin' })
  })

  test('create refuses an address that is registered, and says what to do', async () => {
    const { email } = await service.createUser()

    const refusal = run({ command: 'create', email, password })
    await expect(refusal).rejects.toThrow(AdminCommandError)
    await expect(refusal).rejects.toThrow(`grant ${email} admin`)
    expect(await admins(service)).not.toContainEqual({ email, role: 'admin' })
  })

  test('grant gives a role that there is to a user that there is', async () => {
    const { email } = await service.createUser()

    expect(await run({ command: 'grant', email, role: 'admin' })).toBe(`${email} has the role admin now.`)
    expect(await admins(service)).toContainEqual({ email, role: 'admin' })
    await expect(run({ command: 'grant', email, role: 'owner' })).rejects.toThrow(/"owner": user, moderator, admin/)
    await expect(run({ command: 'grant', email: newEmail(), role: 'user' })).rejects.toThrow(/There is no user/)
  })

  test('grant leaves the last admin', async () => {
    const alone = await startService()
    onTestFinished(() => alone.stop())
    const { email } = await alone.createUser({ role: 'admin' })

    const refusal = runAdminCommand(alone.services, { command: 'grant', email, role: 'user' })
    await expect(refusal).rejects.toMatchObject({ constraint: 'last_admin' })
    expect(await admins(alone)).toEqual([{ email, role: 'admin' }])
  })

  test('reset-password sets a password, ends the sessions, and tells whose it is', async () => {
    const ada = await service.createSignedIn()

    await run({ command: 'reset-password', email: ada.email, password })
    expect(await signIn(service, ada.email, password)).toBe(200)
    const { token } = await service.signIn(ada)
    await run({ command: 'reset-password', email: ada.email, password: 'a second password' })

    for (const old of [ada.token, token]) {
      expect((await service.request('/api/v1/auth/me', { token: old })).status).toBe(401)
    }
    expect(await signIn(service, ada.email, password)).toBe(401)
    expect(await signIn(service, ada.email, 'a second password')).toBe(200)
    const told = 'Your password was changed'
    expect(mailsTo(service, ada.email).map(({ subject }) => subject)).toEqual([told, told])
    await expect(run({ command: 'reset-password', email: newEmail(), password })).rejects.toThrow(/There is no user/)
  })

  test('reset-password sets none that nobody may choose', async () => {
    const { email } = await service.createSignedIn()

    const refusal = run({ command: 'reset-password', email, password: email })

    await expect(refusal).rejects.toMatchObject({ slug: 'weak-password' })
    expect(await signIn(service, email, email)).toBe(401)
  })

  test('a password is set for nobody whom there is not', async () => {
    const { userAccounts } = service.services

    await expect(userAccounts.setPassword('nobody', password)).rejects.toMatchObject({ slug: 'not-found' })
  })

  test('end-sessions ends every session and token, and mailed links, and nothing else', async () => {
    const own = await startService()
    onTestFinished(() => own.stop())
    const people = [await own.createSignedIn('admin'), await own.createSignedIn(), await own.createSignedIn()]
    // More than go at once.
    await sql`insert into "user" (id, name, email) select n, n, n || '@example.com' from generate_series(1, 1200) n`.execute(
      own.db,
    )
    const whoami = (credential: object) => own.request('/api/v1/auth/me', credential).then(({ status }) => status)
    for (const { token, cookie } of people)
      expect([await whoami({ token }), await whoami({ cookie })]).toEqual([200, 200])
    await own.db
      .insertInto('verification')
      .values({ id: 'a', identifier: 'a', value: 'a', expires_at: new Date(Date.now() + 60_000) })
      .execute()

    const answer = await runAdminCommand(own.services, { command: 'end-sessions' })

    expect(answer).toBe('The sessions, tokens and mailed links of all 1203 users have ended.')
    for (const { token, cookie } of people)
      expect([await whoami({ token }), await whoami({ cookie })]).toEqual([401, 401])
    expect(await own.db.selectFrom('verification').select('id').execute()).toEqual([])
    expect(await own.db.selectFrom('user').select('id').where('role', '=', 'admin').execute()).toHaveLength(1)
    expect(await whoami({ token: (await own.signIn(people[0] as SignedIn)).token })).toBe(200)
  })

  test('end-sessions ends the links to confirm an address that were mailed before, and none after', async () => {
    const own = await startService()
    onTestFinished(() => own.stop())
    const { email } = await own.createUser({ emailVerified: false })
    const { secret } = await own.services.auth.$context
    const confirmBy = async (iat: number) => {
      const claims = new SignJWT({ email }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt(iat)
      const token = await claims.setExpirationTime('1h').sign(Buffer.from(secret))
      const json = { token, password: 'another good one' }
      const response = await own.request('/api/auth/verify-email', { headers: { origin: own.baseUrl }, json })
      return [response.status, await response.json()]
    }
    const before = Math.floor(Date.now() / 1_000)

    await runAdminCommand(own.services, { command: 'end-sessions' })

    expect(await confirmBy(before)).toMatchObject([400, { code: 'INVALID_TOKEN' }])
    expect(await confirmBy(before + 60)).toMatchObject([200, { status: true }])
  })

  test('list shows the admins, and who of them is banned', async () => {
    const [ada, bob] = [await service.createUser({ role: 'admin' }), await service.createUser({ role: 'admin' })]
    const user = await service.createUser()
    await service.db.updateTable('user').set({ banned: true }).where('id', '=', bob.id).execute()

    const lines = (await run({ command: 'list' })).split('\n')

    expect(lines).toContain(`${ada.email}  Test User  ${ada.id}`)
    expect(lines).toContain(`${bob.email}  Test User  ${bob.id}  (banned)`)
    expect(lines.join('\n')).not.toContain(user.email)
  })

  test.each<object>([
    { command: 'create', email: 'nobody', password },
    { command: 'create', email: 'a@example.com', password: 'short' },
    { command: 'create', email: 'a@example.com', password: 'p'.repeat(129) },
    { command: 'create', email: 'a@example.com' },
    { command: 'drop' },
    { command: 'list', all: true },
  ])('is checked before it is run: %j', (command) => {
    expect(AdminCommand.safeParse(command).success).toBe(false)
  })
})
