import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { AdminCommand, runAdminCommand } from '../../src/admin/commands.ts'
import { parseConfig } from '../../src/config.ts'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { createTestDatabase, password, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, request } = service
const { auth, v1, createMember, rowsOf, signInWith } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const strangers = { cookie: '' }
const newEmail = () => `${randomUUID()}@example.com`

const signUp = (email: string, chosen: string) =>
  auth(strangers, '/sign-up/email', { email, name: 'Ada', password: chosen })
const findUser = (email: string) => db.selectFrom('user').select('id').where('email', '=', email).executeTakeFirst()

const weak: [kind: string, chosen: string][] = [
  ['the most common one', 'password'],
  ['a common one in capitals', 'PassWord1'],
  ['a common one in full-width letters', 'ｐａｓｓｗｏｒｄ１'],
  ['a common one with signs for letters', 'P@ssw0rd'],
  ['a first name', 'Jennifer'],
  ['a word', 'mountain'],
  ['digits in a row', '12345678'],
  ['digits backwards', '0987654321'],
  ['letters in a row', 'bcdefghij'],
  ['keys in a row', 'wertyuiop'],
  ['one character', 'aaaaaaaa'],
  ['one character that is two in UTF-16', '🦊'.repeat(8)],
  ['two characters again and again', 'xy'.repeat(20)],
  ['eight blanks', ' '.repeat(8)],
  ['blanks of several kinds', ' \u00a0\u2003 \u00a0\u2003 \u00a0'],
  ['the name of the service', 'LatchKey'],
]

describe('B-13 a password that is tried first', () => {
  test.each(weak)('is nobody’s: %s', async (_, chosen) => {
    const email = newEmail()

    expect(await signUp(email, chosen)).toMatchObject({ status: 400, refusal: 'WEAK_PASSWORD' })
    expect(await findUser(email)).toBeUndefined()
    expect(await v1(admin, 'POST', '/users', { email, name: 'Ada', password: chosen })).toMatchObject({
      status: 422,
      refusal: 'weak-password',
    })
    expect(await findUser(email)).toBeUndefined()
  })

  test.each(['grace.hopper', 'Grace.Hopper', 'grace.hopper@example.com', 'ＧＲＡＣＥ.hopper@example.com'])(
    'is the address of its owner, or what stands before the sign: %s',
    async (chosen) => {
      const email = 'grace.hopper@example.com'
      expect(await signUp(email, chosen)).toMatchObject({ status: 400, refusal: 'WEAK_PASSWORD' })
      expect(await findUser(email)).toBeUndefined()
    },
  )

  test('is nothing that only resembles one', async () => {
    for (const chosen of [
      'passwords of mine',
      'grace.hopper 1',
      'mountain goat',
      'latchkeys!',
      '1234567890 a',
      'ababababc',
    ])
      expect([chosen, (await signUp(newEmail(), chosen)).status]).toEqual([chosen, 200])
  })

  test('is refused before anything is hashed', async () => {
    const { password: passwords } = await service.services.auth.$context
    const hash = vi.spyOn(passwords, 'hash')
    onTestFinished(() => hash.mockRestore())
    const email = newEmail()
    await signUp(email, 'password')
    await auth(admin, '/admin/create-user', { email, name: 'Ada', password: 'password', role: 'user' })
    await v1(admin, 'POST', '/users', { email, name: 'Ada', password: 'password' })
    expect(hash).not.toHaveBeenCalled()

    await signUp(email, password)
    expect(hash).toHaveBeenCalledOnce()
  })
})

describe('B-13 no door lets a password in that is tried first', () => {
  // Each address has more than eight characters before the sign.
  const kinds: [string, (email: string) => string][] = [
    ['a common one', () => 'iloveyou'],
    ['the name of the service', () => 'latchkey'],
    ['the address', (email) => email.toUpperCase()],
    ['what stands before the sign', (email) => email.split('@')[0] ?? ''],
  ]

  test.each(kinds)('a change of the password, to %s', async (_, chosen) => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)
    const change = (newPassword: string) =>
      auth(ada, '/change-password', { currentPassword: password, newPassword, revokeOtherSessions: true })

    expect(await change(chosen(ada.email))).toMatchObject({ status: 400, refusal: 'WEAK_PASSWORD' })
    expect(await rowsOf(ada.id)).toEqual(before)
    expect((await change('a second password')).status).toBe(200)
  })

  test.each(kinds)('a reset, to %s', async (_, chosen) => {
    const ada = await createMember()
    await auth(strangers, '/request-password-reset', { email: ada.email })
    const token = mailedToken(service, ada.email)
    const reset = (newPassword: string) => auth(strangers, '/reset-password', { token, newPassword })

    expect(await reset(chosen(ada.email))).toMatchObject({ status: 400, refusal: 'WEAK_PASSWORD' })
    expect((await signInWith(ada.email, password)).status).toBe(200)
    // The link is good still.
    expect((await reset('a second password')).status).toBe(200)
  })

  test.each(kinds)('an admin at either API, with %s', async (_, chosen) => {
    const email = newEmail()
    const create = { email, name: 'Ada', role: 'user', password: chosen(email) }
    expect(await auth(admin, '/admin/create-user', create)).toMatchObject({ status: 400, refusal: 'WEAK_PASSWORD' })
    expect(await v1(admin, 'POST', '/users', create)).toMatchObject({ status: 422, refusal: 'weak-password' })
    expect(await findUser(email)).toBeUndefined()
    expect((await auth(admin, '/admin/create-user', { ...create, password })).status).toBe(200)
  })

  test.each(kinds)('the command line, with %s', async (_, chosen) => {
    const [email, ada] = [newEmail(), await createMember()]
    const run = async (given: object) => runAdminCommand(service.services, AdminCommand.parse(given))

    await expect(run({ command: 'create', email, password: chosen(email) })).rejects.toThrow('tried first')
    expect(await findUser(email)).toBeUndefined()
    const { email: hers } = ada
    await expect(run({ command: 'reset-password', email: hers, password: chosen(hers) })).rejects.toThrow('tried first')
    expect((await signInWith(hers, password)).status).toBe(200)
    await run({ command: 'create', email, password })
    expect((await signInWith(email, password)).status).toBe(200)
  })

  test('the pages, as long as nobody is an admin, too', async () => {
    const fresh = await startService()
    onTestFinished(fresh.stop)
    const token = /setup\?token=([\w-]+)/.exec(fresh.logLines().join())?.[1] ?? ''
    const email = newEmail()
    const fields = { name: 'Ada', email, token }
    for (const path of ['/setup', '/sign-up']) {
      for (const [kind, chosen] of kinds) {
        const page = await createVisitor(fresh).submit(path, { ...fields, password: chosen(email) })
        expect([path, kind, page.html.includes('id="password-error"')]).toEqual([path, kind, true])
        expect(textOf(page)).toContain('tried first')
      }
    }
    expect(await fresh.db.selectFrom('user').select('id').execute()).toEqual([])
    expect((await createVisitor(fresh).submit('/setup', { ...fields, password })).at).toBe('/account')
  })

  test('ADMIN_PASSWORD: the service says so and does not start', async () => {
    const database = await createTestDatabase()
    onTestFinished(database.remove)
    const email = newEmail()
    const start = (given: string) => startService({ env: { ADMIN_EMAIL: email, ADMIN_PASSWORD: given }, database })
    for (const [, chosen] of kinds) {
      await expect(start(chosen(email))).rejects.toMatchObject({
        name: 'ConfigError',
        faults: [expect.stringMatching(/^ADMIN_PASSWORD: .*tried first/)],
      })
    }
    const started = await start(password)
    onTestFinished(started.stop)
    expect(await started.db.selectFrom('user').select('email').execute()).toEqual([{ email }])
  }, 60_000)

  test('ADMIN_PASSWORD is told with every other fault of the configuration', () => {
    const env = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: 'Password123', PORT: 'x' }
    expect(() => parseConfig(env)).toThrow(/PORT: [^]*ADMIN_PASSWORD: must not be one that is tried first/)
    expect(parseConfig({ ...env, ADMIN_PASSWORD: password, PORT: '' }).admin?.password).toBe(password)
  })

  test('the page to change it says so beside the field', async () => {
    const visitor = createVisitor(service, (await createMember()).cookie)
    const page = await visitor.submit('/account/password', { currentPassword: password, newPassword: 'iloveyou' })
    expect(page.html).toContain('id="newPassword-error"')
    expect(textOf(page)).toContain('tried first')
  })
})

describe('B-14 a password of any characters', () => {
  const accepted: [string, string][] = [
    ['64 characters', 'correct horse '.repeat(5).slice(0, 64)],
    ['128 characters', 'correct horse '.repeat(10).slice(0, 128)],
    ['128 characters that are 256 in UTF-16', '🦊🐴🔋📎'.repeat(32).slice(0, 252) + '🐎🐎'],
    ['characters of many scripts', 'пароль 密码 סיסמה κωδικός'],
    ['blanks around it', '  a battery staple  '],
    ['signs', `"';--<b>%00\\`],
  ]

  test.each(accepted)('opens the account that was made with it: %s', async (_, chosen) => {
    const email = newEmail()
    expect((await signUp(email, chosen)).status).toBe(200)

    const answer = await signInWith(email, chosen)

    expect(answer.status).toBe(200)
    expect((await request('/api/v1/auth/me', { cookie: sessionCookieIn(answer) })).status).toBe(200)
    for (const other of [chosen.slice(0, -1), chosen.trim() === chosen ? `${chosen} ` : chosen.trim()])
      expect((await signInWith(email, other)).status).toBe(401)
  })

  const accented = `${'é'.repeat(3)}ñandú ${'äöü'.repeat(30)}`
  test.each(['NFC', 'NFD'] as const)('is one however it is typed, if chosen in %s', async (form) => {
    const email = newEmail()
    expect((await signUp(email, accented.normalize(form))).status).toBe(200)

    for (const typed of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const)
      expect([typed, (await signInWith(email, accented.normalize(typed))).status]).toEqual([typed, 200])
  })

  test('has at most 128 of them, however it is typed', async () => {
    const [most, over] = ['äöü'.repeat(42) + 'äö', 'äöü'.repeat(43)]
    for (const form of ['NFC', 'NFD'] as const) {
      expect((await signUp(newEmail(), most.normalize(form))).status).toBe(200)
      expect(await signUp(newEmail(), over.normalize(form))).toMatchObject({ refusal: 'PASSWORD_TOO_LONG' })
    }
    expect(await signUp(newEmail(), 'ﬃﬃﬃ')).toMatchObject({ refusal: 'PASSWORD_TOO_SHORT' })
  })
})
