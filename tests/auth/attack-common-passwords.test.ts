import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { passwordFault } from '../../src/resources/password.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { request, db } = service
const { auth, v1, createMember, rowsOf, signInWith } = await createDoors(service)
const admin = await service.createSignedIn('admin')

const packaged = readFileSync('src/resources/common-passwords.txt', 'utf8').trimEnd().split('\n')

// From lists that others publish of what is leaked most, and of what gets past a rule for digits, capitals or signs.
const known = `
  password 12345678 123456789 1234567890 012345678 0123456789 87654321 987654321 password1 password2 password12
  password123 passw0rd p@ssw0rd password! iloveyou iloveyou1 iloveyou2 ihateyou lovelove loveyou1 princess princess1
  sunshine sunshine1 football football1 baseball baseball1 superman superman1 starwars startrek trustno1 whatever
  computer internet facebook google123 pokemon1 naruto123 minecraft spiderman batman123 metallica blink182 slipknot
  butterfly chocolate babygirl sweetheart jennifer michelle nicholas samantha victoria elizabeth danielle charlotte
  alexander michael1 charlie1 thomas12 jessica1 jordan23 liverpool chelsea1 arsenal1 ferrari1 mercedes corvette
  porsche911 dolphins steelers redskins redwings yankees1 lakers24 golfball soccer12 hardcore bigdaddy access14
  rush2112 swordfish panther1 blackhawk explorer marlboro einstein security administrator admin123 changeme default1
  temp1234 welcome1 welcome123 letmein1 master123 secret123 hello123 monkey123 dragon123 hunter12 killer123 shadow12
  summer12 winter12 america1 freedom1 november december wednesday mountain midnight scorpion test1234 testtest
  abcdefgh abcd1234 abc12345 abc123456 a1b2c3d4 1a2b3c4d a1234567 aa123456 123456789a 1234qwer qwer1234 qwerasdf
  qwertyui qwertyuiop qwerty12 qwerty123 qwe123qwe 123qweasd qazwsxedc 1qaz2wsx 1qazxsw2 zaq12wsx 1qaz2wsx3edc
  1q2w3e4r 1q2w3e4r5t q1w2e3r4 asdfghjk asdfghjkl asdfasdf asdf1234 zxcvbnm1 zxcvbnm123 azerty123 azertyuiop
  qwertzuiop motdepasse passwort gfhjkm123 11111111 00000000 22222222 66666666 77777777 88888888 99999999 12121212
  11223344 12341234 111222333 123123123 123321123 147258369 741852963 31415926`
  .trim()
  .split(/\s+/)

const isWeak = (chosen: string) => passwordFault(chosen)?.code === 'WEAK_PASSWORD'

describe('B-13 the common passwords', () => {
  test('are so many that a guesser has no use for the rest', () => {
    expect(new Set(packaged).size).toBe(packaged.length)
    expect(packaged.length).toBeGreaterThan(17_000)
    // What is shorter is refused for its length, and would only fill the list.
    expect(packaged.filter((line) => [...line].length < 8)).toEqual([])
  })

  test('are refused as they are on the list, and in capitals', () => {
    expect(packaged.filter((chosen) => !isWeak(chosen))).toEqual([])
    expect(packaged.filter((chosen) => !isWeak(chosen.toUpperCase()))).toEqual([])
  })

  test('are those of other people’s lists, too', () => {
    expect(known.length).toBeGreaterThan(150)
    expect(known.filter((chosen) => !isWeak(chosen) || !isWeak(chosen.toUpperCase()))).toEqual([])
  })

  test('are refused for what they are, not for being of a common kind', () => {
    const uncommon = ['mountain goat', 'tr0mb0ne-hat', 'hunter12 hunts', 'iloveyou not', 'correct horse', '８ digits 8']
    expect(uncommon.filter((chosen) => passwordFault(chosen))).toEqual([])
  })
})

// Some of each list, from everywhere in it.
const some = [packaged, known].flatMap((list) => list.filter((_, i) => i % Math.floor(list.length / 6) === 5))
const newcomer = (chosen: string) => ({ email: `${randomUUID()}@example.com`, name: 'Ada', password: chosen })
const isThere = async (email: string) =>
  (await db.selectFrom('user').select('id').where('email', '=', email).execute()).length > 0

describe('B-13 some of them at every door where a password is chosen', () => {
  test.each<[door: string, create: (user: ReturnType<typeof newcomer>) => Promise<unknown>]>([
    ['a sign-up', (user) => auth({ cookie: '' }, '/sign-up/email', user)],
    ['POST /users', (user) => v1(admin, 'POST', '/users', user)],
    ['/admin/create-user', (user) => auth(admin, '/admin/create-user', { ...user, role: 'user' })],
    ['the page to sign up', (user) => createVisitor(service).submit('/sign-up', user)],
  ])('%s makes nobody with one', async (_door, create) => {
    for (const chosen of some) {
      const user = newcomer(chosen)
      await create(user)
      expect([chosen, await isThere(user.email)]).toEqual([chosen, false])
    }
    const user = newcomer(password)
    await create(user)
    expect((await signInWith(user.email, password)).status).toBe(200)
  })

  const change = (cookie: string, newPassword: string) =>
    auth({ cookie }, '/change-password', { currentPassword: password, newPassword })
  const changeOnPage = (cookie: string, newPassword: string) =>
    createVisitor(service, cookie).submit('/account/password', { currentPassword: password, newPassword })

  test.each([
    ['a change', change],
    ['the page to change it', changeOnPage],
  ])('%s changes nothing to one', async (_door, attempt) => {
    const ada = await createMember()
    const { accounts } = await rowsOf(ada.id)
    for (const chosen of some) await attempt(ada.cookie, chosen)
    expect((await rowsOf(ada.id)).accounts).toEqual(accounts)
    await attempt(ada.cookie, 'a second password')
    expect((await signInWith(ada.email, 'a second password')).status).toBe(200)
  })

  const strangers = { cookie: '' }
  const reset = (token: string, newPassword: string) => auth(strangers, '/reset-password', { token, newPassword })
  const resetOnPage = (token: string, newPassword: string) =>
    createVisitor(service).submit('/reset-password', { token, newPassword })
  const confirm = (token: string, chosen: string) => auth(strangers, '/verify-email', { token, password: chosen })
  const confirmOnPage = (token: string, chosen: string) =>
    createVisitor(service).submit('/verify-email', { token, password: chosen })

  test.each([
    ['a reset', 'request-password-reset', true, reset],
    ['the page of a reset', 'request-password-reset', true, resetOnPage],
    ['a confirmed address', 'send-verification-email', false, confirm],
    ['the page to confirm it', 'send-verification-email', false, confirmOnPage],
  ])('%s sets none', async (_door, letter, emailVerified, attempt) => {
    const { id, email } = await service.createUser({ emailVerified })
    await request(`/api/auth/${letter}`, { json: { email }, headers: { origin: service.baseUrl } })
    const token = mailedToken(service, email)

    for (const chosen of some) await attempt(token, chosen)

    expect((await rowsOf(id)).accounts).toEqual([])
    await attempt(token, 'a second password')
    expect((await signInWith(email, 'a second password')).status).toBe(200)
  })
})
