import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { mailedToken } from '../support/mails.ts'
import {
  createGuesser,
  inTurn,
  limited,
  mistaken,
  newAddress,
  refused,
  right,
  times,
  wrong,
} from '../support/password-attempts.ts'
import { watchQueries } from '../support/query-count.ts'
import { newUser } from '../support/visitor.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile({ env: limited })
const { db, request } = service
const { createOwner, signIn, countHashed, endWindows } = createGuesser(service)

/** Uses the attempts of an account up, from everywhere. */
const exhaust = (email: string) => inTurn(11, () => signIn(email, wrong))
const exhausted = [...times(10, mistaken), refused]

describe('B-06 of the passwords that come for one account from 250 addresses', () => {
  test('ten are hashed, and the others are refused until the window ends', async () => {
    const [owner, bystander] = [await createOwner(), await createOwner()]
    const hashed = await countHashed()

    expect(await exhaust(owner.email)).toEqual(exhausted)
    for (let n = 10; n < 250; n += 40) {
      const outcomes = await Promise.all(times(40, wrong).map((secret) => signIn(owner.email, secret)))
      expect(outcomes).toEqual(times(40, refused))
    }

    expect(hashed()).toBe(10)
    expect(await signIn(owner.email, password)).toEqual(refused)
    expect(hashed()).toBe(10)
    expect(await signIn(bystander.email, password)).toEqual(right)

    await endWindows(30)
    expect(await signIn(owner.email, password)).toEqual({
      ...refused,
      retryAfter: expect.stringMatching(/^([1-9]|[12]\d|30)$/) as string,
    })
    await endWindows(-1)
    expect(await signIn(owner.email, password)).toEqual(right)
  })

  test('what is refused writes nothing', async () => {
    const { email } = await createOwner()
    expect(await exhaust(email)).toEqual(exhausted)
    const written = () =>
      sql`select key, xmin::text, xmax::text from password_attempt
        where ends_at > now() order by key`.execute(db)
    const before = await written()
    expect(before.rows.length).toBeGreaterThan(0)
    expect(await signIn(email, wrong)).toEqual(refused)
    expect((await written()).rows).toEqual(before.rows)
  })

  test('ten are hashed in the next window, too', async () => {
    const { email } = await createOwner()
    expect(await exhaust(email)).toEqual(exhausted)
    await endWindows(-1)
    expect(await exhaust(email)).toEqual(exhausted)
  })

  test('all count, however the address is written', async () => {
    const { email } = await createOwner()
    await inTurn(10, (n) => signIn(n % 2 === 0 ? email.toUpperCase() : email, wrong))
    expect(await signIn(email, wrong)).toEqual(refused)
  })

  test('those for an account that nobody has are answered no differently', async () => {
    const { email } = await createOwner()
    const nobody = `${randomUUID()}@example.com`
    const asked = await queriesOf(() => signIn(email, wrong))
    expect(asked.filter((text) => text.includes('password_attempt'))).toHaveLength(1)
    expect(await queriesOf(() => signIn(nobody, wrong))).toEqual(asked)
    const hashed = await countHashed()

    expect(await inTurn(11, () => signIn(nobody, wrong))).toEqual([...times(9, mistaken), refused, refused])
    expect(hashed()).toBe(9)
  })

  test('the right one of an account that is not confirmed does not tell that the address was free', async () => {
    const { url } = await startMailServer({ whenDone: onTestFinished })
    const mailing = await startService({ env: { ...limited, SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
    onTestFinished(mailing.stop)
    const guesser = createGuesser(mailing)
    const [taken, free] = [(await guesser.createOwner()).email, newUser().email]
    for (const email of [taken, free]) {
      const headers = { origin: mailing.baseUrl, 'x-forwarded-for': newAddress() }
      const json = { ...newUser(), email, password: 'chosen by Eve' }
      expect((await mailing.request('/api/auth/sign-up/email', { headers, json })).status).toBe(200)
    }

    for (const email of [taken, free]) {
      const outcomes = await inTurn(11, () => guesser.signIn(email, 'chosen by Eve'))
      expect(outcomes).toEqual([...times(10, mistaken), refused])
    }
  })

  test('all are tried where no requests are limited', async () => {
    const open = await startService({ env: { ...limited, RATE_LIMIT: '0' } })
    onTestFinished(open.stop)
    const guesser = createGuesser(open)
    const { email } = await guesser.createOwner()
    expect(await inTurn(12, () => guesser.signIn(email, wrong))).toEqual(times(12, mistaken))
  })
})

describe('B-07 whoever uses the attempts of an account up', () => {
  test('does not keep its owner out where they have signed in before', async () => {
    const { email } = await createOwner()
    const home = newAddress()
    expect(await signIn(email, password, home)).toEqual(right)
    expect(await exhaust(email)).toEqual(exhausted)

    const outcomes = await inTurn(20, async (n) => {
      // Each from an address of its own: Better-Auth takes three sign-ins in ten seconds.
      if (n % 2 === 0) return signIn(email, wrong)
      await db.deleteFrom('rate_limit').execute()
      return signIn(email, password, home)
    })

    expect(outcomes).toEqual(times(10, [refused, right]).flat())
  })

  test('has ten attempts of their own there', async () => {
    const { email } = await createOwner()
    const home = newAddress()
    expect(await signIn(email, password, home)).toEqual(right)
    const hashed = await countHashed()
    const outcomes = await inTurn(12, async (n) => {
      await db.deleteFrom('rate_limit').execute()
      return signIn(email, n === 11 ? password : wrong, home)
    })
    expect(outcomes).toEqual([...times(10, mistaken), refused, refused])
    expect(hashed()).toBe(10)
    expect(await signIn(email, password)).toEqual(right)
  })

  test('does not keep them out once they have reset the password by mail, there and elsewhere', async () => {
    const { email } = await createOwner()
    const home = newAddress()
    expect(await signIn(email, password, home)).toEqual(right)
    await inTurn(11, async () => {
      await db.deleteFrom('rate_limit').execute()
      return signIn(email, wrong, home)
    })
    await db.deleteFrom('rate_limit').execute()
    expect(await signIn(email, password, home)).toEqual(refused)
    expect(await exhaust(email)).toEqual(exhausted)

    const headers = { origin: service.baseUrl, 'x-forwarded-for': home }
    await request('/api/auth/request-password-reset', { headers, json: { email } })
    const json = { token: mailedToken(service, email), newPassword: 'another battery altogether' }
    expect((await request('/api/auth/reset-password', { headers, json })).status).toBe(200)
    await db.deleteFrom('rate_limit').execute()
    expect(await signIn(email, json.newPassword, home)).toEqual(right)
    expect(await signIn(email, json.newPassword)).toEqual(right)
  })

  test('does not keep them out once an administrator has set a password', async () => {
    const { email, id } = await createOwner()
    expect(await exhaust(email)).toEqual(exhausted)
    const chosen = 'another battery altogether'
    await service.services.userAccounts.setPassword(id, chosen)
    expect(await signIn(email, chosen)).toEqual(right)
  })

  test('does not keep them out of the /64 in which they have signed in', async () => {
    const { email } = await createOwner()
    expect(await signIn(email, password, '2001:db8:7:1::1')).toEqual(right)
    expect(await exhaust(email)).toEqual(exhausted)
    expect(await signIn(email, password, '2001:db8:7:1:ffff::2')).toEqual(right)
    expect(await signIn(email, password, '2001:db8:7:2::1')).toEqual(refused)
  })

  test('does not get in from where somebody else has signed in', async () => {
    const [owner, other] = [await createOwner(), await createOwner()]
    const home = newAddress()
    expect(await signIn(other.email, password, home)).toEqual(right)
    expect(await exhaust(owner.email)).toEqual(exhausted)
    expect(await signIn(owner.email, password, home)).toEqual(refused)
  })

  test.each<[string, (email: string, from: Record<string, string>) => Promise<Response>]>([
    ['signed up', (email, headers) => request('/api/auth/sign-up/email', { headers, json: { ...newUser(), email } })],
    [
      'reset the password by mail',
      async (email, headers) => {
        await service.services.userAccounts.create({ ...newUser(), email, role: 'user', emailVerified: true })
        await request('/api/auth/request-password-reset', { headers, json: { email } })
        const token = mailedToken(service, email)
        return request('/api/auth/reset-password', { headers, json: { token, newPassword: password } })
      },
    ],
  ])('does not keep the owner out where they have %s', async (_, act) => {
    const { email } = newUser()
    const home = newAddress()
    expect((await act(email, { origin: service.baseUrl, 'x-forwarded-for': home })).status).toBe(200)
    expect(await exhaust(email)).toEqual(exhausted)
    expect(await signIn(email, password, home)).toEqual(right)
  })

  test('keeps them out of none of the latest twenty places', async () => {
    const { email, id } = await createOwner()
    const homes = times(21, newAddress).map((make) => make())
    for (const home of homes) expect(await signIn(email, password, home)).toEqual(right)
    const known = db.selectFrom('known_address').select('block').where('user_id', '=', id)
    expect(await known.execute()).toHaveLength(20)
    expect(await exhaust(email)).toEqual(exhausted)

    const outcomes = []
    for (const home of homes.slice(1)) outcomes.push(await signIn(email, password, home))
    expect(outcomes).toEqual(times(20, right))
    expect(await signIn(email, password, homes[0])).toEqual(refused)
  })
})
