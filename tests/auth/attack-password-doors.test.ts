import { describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import {
  createGuesser,
  inTurn,
  limited,
  mistaken,
  newAddress,
  type Outcome,
  outcomeOf,
  refused,
  right,
  times,
  wrong,
} from '../support/password-attempts.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const service = await startServiceForFile({ env: limited })
const { request } = service
const { createOwner, signIn, countHashed, endWindows } = createGuesser(service)

describe('B-09 the attempts of an account', () => {
  const form = 'application/x-www-form-urlencoded'
  const doors: [string, (owner: { id: string; email: string }, secret: string) => Promise<Outcome>][] = [
    ['sign-in', ({ email }, secret) => signIn(email, secret)],
    ['sign-in by a form', ({ email }, secret) => byForm('/api/auth/sign-in/email', { email, password: secret })],
    ['the page', async ({ email }, secret) => onPage(email, secret)],
    ['a change of password', asOwner('change-password', 'currentPassword', { newPassword: 'another password' })],
    ['a change of address', asOwner('change-email', 'password', { newEmail: 'new@example.com' })],
    ['the end of the account', asOwner('delete-user', 'password', {})],
  ]

  function asOwner(path: string, member: string, json: object) {
    return async (owner: { id: string; email: string }, secret: string) => {
      const { cookie } = await service.signIn(owner)
      const headers = { 'x-forwarded-for': newAddress() }
      return outcomeOf(await request(`/api/auth/${path}`, { cookie, headers, json: { ...json, [member]: secret } }))
    }
  }

  async function byForm(path: string, fields: Record<string, string>): Promise<Outcome> {
    const headers = { origin: service.baseUrl, 'content-type': form, 'x-forwarded-for': newAddress() }
    return outcomeOf(await request(path, { body: new URLSearchParams(fields).toString(), headers }))
  }

  async function onPage(email: string, secret: string): Promise<Outcome> {
    const from = { 'x-forwarded-for': newAddress() }
    const page = await createVisitor(service).submit('/sign-in', { email, password: secret }, from)
    if (page.at === '/account') return right
    if (textOf(page).includes('do not belong together')) return mistaken
    expect(textOf(page)).toMatch(/Too many attempts\. Try again in 1[0-5] minutes\./)
    return { status: 429, code: 'RATE_LIMITED', retryAfter: '900' }
  }

  test('are not those of a sign-in that names no address', async () => {
    for (const email of ['nobody', '', 7, undefined]) {
      const headers = { origin: service.baseUrl, 'x-forwarded-for': newAddress() }
      const response = await request('/api/auth/sign-in/email', { headers, json: { email, password } })
      expect(response.status).toBe(400)
    }
  })

  test('are not those of a change of address without a password, for which none is hashed', async () => {
    const { cookie } = await service.signIn(await createOwner())
    const hashed = await countHashed()
    const headers = { 'x-forwarded-for': newAddress() }
    const response = await request('/api/auth/change-email', { cookie, headers, json: { newEmail: 'new@example.com' } })
    expect(await outcomeOf(response)).toMatchObject({ status: 400, code: 'INVALID_PASSWORD' })
    expect(hashed()).toBe(0)
  })

  test.each(doors)('are used up at %s as everywhere', async (_, attempt) => {
    const owner = await createOwner()
    const hashed = await countHashed()
    const first = await attempt(owner, wrong)
    expect([400, 401]).toContain(first.status)
    expect(await inTurn(10, () => signIn(owner.email, wrong))).toEqual([...times(9, mistaken), refused])
    expect(hashed()).toBe(10)

    expect(await attempt(owner, password)).toEqual(refused)

    expect(hashed()).toBe(10)
    await endWindows(-1)
    expect((await attempt(owner, password)).status).toBe(200)
  })

  test.each(doors.slice(0, -1))('are forgotten when one is right at %s', async (_, attempt) => {
    const owner = await createOwner()
    expect(await inTurn(9, () => signIn(owner.email, wrong))).toEqual(times(9, mistaken))
    expect((await attempt(owner, password)).status).toBe(200)
    expect(await inTurn(10, () => signIn(owner.email, wrong))).toEqual(times(10, mistaken))
    expect(await signIn(owner.email, wrong)).toEqual(refused)
  })

  test('are not used up by what is refused before a password is hashed', async () => {
    const owner = await createOwner()
    const tooLong = await inTurn(12, () => signIn(owner.email, 'x'.repeat(1_100)))
    expect(tooLong).toEqual(times(12, { status: 400, code: 'PASSWORD_TOO_LONG', retryAfter: null }))
    expect(await signIn(owner.email, password)).toEqual(right)
  })

  test('are not used up by what there is no time to hash', async () => {
    const full = await startService({ env: limited })
    onTestFinished(full.stop)
    const owner = await createGuesser(full).createOwner()
    const { cookie } = await full.signIn(owner)
    await full.services.hashLane.close()

    const outcomes = await inTurn(12, async () => {
      const headers = { 'x-forwarded-for': newAddress() }
      return outcomeOf(await full.request('/api/auth/delete-user', { cookie, headers, json: { password } }))
    })

    expect(outcomes.map(({ code }) => code)).toEqual(times(12, 'OVERLOADED'))
  })
})
