import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { countLetter } from '../../src/mail/letters.queries.ts'
import { from, newAddress, proxied } from '../support/addresses.ts'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { createTestDatabase, password, startService, type TestService } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { newUser } from '../support/visitor.ts'

// A stranger who knows an address must not be able to fill its inbox, from however many places they ask.
const { mails, url } = await startMailServer()
const database = await createTestDatabase()
const start = () => startService({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' }, database })
const service = await start()
// The embedded database is of one process.
const instances = onPostgres ? [service, await start()] : [service]
afterAll(async () => {
  for (const instance of instances) await instance.stop()
  await database.remove()
})
const { createMember } = await createDoors(service)

const maxLetters = 3
const lettersTo = (email: string) => mails.filter(({ to }) => to.includes(email))
const unsent = () =>
  instances.flatMap((instance) => instance.logLines().filter((line) => line.includes('has had enough of these'))).length

const ask = (of: TestService, path: string, json: object, cookie = '') =>
  of.request(`/api/auth${path}`, { json, headers: { origin: of.baseUrl, cookie } })

type Way = (of: TestService) => Promise<Response>

const ways: [string, boolean, (email: string) => Way | Promise<Way>][] = [
  [
    'a sign-up with an address that is taken',
    true,
    (email) => (of) => ask(of, '/sign-up/email', { ...newUser(), email }),
  ],
  [
    'a sign-up with an address that is not confirmed',
    false,
    (email) => (of) => ask(of, '/sign-up/email', { ...newUser(), email }),
  ],
  ['a reset', true, (email) => (of) => ask(of, '/request-password-reset', { email })],
  ['a new link to confirm', false, (email) => (of) => ask(of, '/send-verification-email', { email })],
]

/** Asks a few times more than letters are sent, at all instances at once again and again; returns what was answered. */
async function askOften(email: string, way: Way): Promise<string[]> {
  const [before, more] = [unsent(), 3]
  const answers: string[] = []
  const asked = async (instance: TestService) => {
    const response = await way(instance)
    const text = await response.text()
    answers.push(`${response.status} ${text.replaceAll(/"(id|name|createdAt|updatedAt)":"[^"]*"/g, '$1')}`)
  }
  // Each may hash a password: all together would be more than there is time for.
  while (answers.length < maxLetters + more) {
    await Promise.all(instances.slice(0, maxLetters + more - answers.length).map(asked))
  }
  await expect.poll(() => [lettersTo(email).length, unsent() - before], { timeout: 5_000 }).toEqual([maxLetters, more])
  return [...new Set(answers)]
}

describe.each(ways)('B-10 %s', (_what, emailVerified, wayTo) => {
  test('mails its owner three times an hour, and answers the same ever after', async () => {
    const { email } = await service.createUser({ emailVerified })
    const way = await wayTo(email)

    expect(await askOften(email, way)).toHaveLength(1)

    const other = await service.createUser({ emailVerified })
    await (await wayTo(other.email))(service)
    await expect.poll(() => lettersTo(other.email).length).toBe(1)
  })
})

describe('B-10 a change of address', () => {
  const wish =
    (email: string, { cookie }: { cookie: string }): Way =>
    (of) =>
      ask(of, '/change-email', { newEmail: email, password }, cookie)

  test('mails the new one three times an hour for one who asks, and still for another', async () => {
    const email = `${randomUUID()}@example.com`
    const [eve, ada] = [await createMember(), await createMember()]

    expect(await askOften(email, wish(email, eve))).toEqual(['200 {"status":true}'])

    expect((await wish(email, ada)(service)).status).toBe(200)
    await expect.poll(() => lettersTo(email).length, { timeout: 5_000 }).toBe(maxLetters + 1)
  })

  test('mails it twelve times an hour, whoever asks', async () => {
    const email = `${randomUUID()}@example.com`
    const before = unsent()
    for (let i = 0; i < 5; i++) {
      const member = await createMember()
      for (let j = 0; j < maxLetters; j++) await wish(email, member)(service)
    }

    const counts = () => [lettersTo(email).length, unsent() - before]
    await expect.poll(counts, { timeout: 10_000 }).toEqual([12, maxLetters])
  })
})

test('B-10 what a mail server refuses does not count', async () => {
  const { url: SMTP_URL, mails: taken } = await startMailServer({
    refuse: Array.from({ length: maxLetters }, () => 550),
  })
  const mended = await startService({ env: { SMTP_URL, MAIL_FROM: 'auth@example.com' } })
  onTestFinished(mended.stop)
  const { email } = await mended.createUser()
  const logged = (text: string) => mended.logLines().filter((line) => line.includes(text)).length
  const askFor = async (times: number) => {
    for (let i = 0; i < times; i++) await ask(mended, '/request-password-reset', { email })
  }

  await askFor(maxLetters)
  await expect.poll(() => logged('mail could not be sent'), { timeout: 5_000 }).toBe(maxLetters)
  await askFor(maxLetters + 1)

  const counts = () => [taken.length, logged('has had enough of these')]
  await expect.poll(counts, { timeout: 5_000 }).toEqual([maxLetters, 1])
})

test('B-10 after the hour there are letters again, and what was counted is gone', async () => {
  const { db } = service
  const letter = { to: 'ada@example.com', subject: 'Any' }
  for (let i = 0; i < maxLetters; i++) expect(await countLetter(db, letter)).toBeDefined()
  expect(await countLetter(db, { ...letter, to: 'Ada@Example.com' })).toBeUndefined()
  const takeBack = await countLetter(db, { ...letter, subject: 'Another' })

  const counted = db.selectFrom('rate_limit').select('count').where('key', 'like', 'letter|%')
  await db.updateTable('rate_limit').set({ last_request: Date.now() }).where('key', 'like', 'letter|%').execute()

  expect(await countLetter(db, letter)).toBeDefined()
  // What failed only now was of the hour before.
  await takeBack?.()
  expect(await counted.execute()).toEqual([{ count: 1 }])
})

// The embedded database has the clock of this process.
test.skipIf(!onPostgres)('B-10 an instance whose clock is ahead ends no hour early (needs PostgreSQL)', async () => {
  const { db } = service
  const letter = { to: 'bea@example.com', subject: 'Any' }
  for (let i = 0; i < maxLetters; i++) expect(await countLetter(db, letter)).toBeDefined()

  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7_200_000 })
  onTestFinished(() => void vi.useRealTimers())

  expect(await countLetter(db, letter)).toBeUndefined()
  expect(await countLetter(db, { ...letter, subject: 'Another' })).toBeDefined()
})

describe('B-10 a flood', () => {
  const floods: [string, string, (email: string) => object][] = [
    ['sign-ups', '/sign-up/email', (email) => ({ ...newUser(), email })],
    ['resets', '/request-password-reset', (email) => ({ email })],
    ['new links to confirm', '/send-verification-email', (email) => ({ email })],
  ]

  test.each(floods)('of %s is refused at one address, and from many mails nobody more often', async (_, path, to) => {
    const flooded = await startService({ env: { ...proxied, RATE_LIMIT: '6000', SMTP_URL: url, MAIL_FROM: 'a@b.c' } })
    onTestFinished(flooded.stop)
    const { email } = await flooded.createUser({ emailVerified: false })
    const ask = (address: string) => from(flooded, address, `/api/auth${path}`, { json: to(email) })
    const address = newAddress()

    const statuses = []
    for (let i = 0; i < 8; i++) statuses.push((await ask(address)).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429, 429, 429])
    expect((await ask(address)).headers.get('retry-after')).toMatch(/^[1-9]\d?$/)
    for (let i = 0; i < 4; i++) expect((await ask(newAddress())).status).toBe(200)

    const notSent = () => flooded.logLines().filter((line) => line.includes('has had enough of these')).length
    await expect.poll(() => [lettersTo(email).length, notSent()], { timeout: 10_000 }).toEqual([3, 4])
  })
})
