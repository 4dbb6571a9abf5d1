import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { createVisitor, signUp, textOf } from '../support/visitor.ts'

const service = await startServiceForFile({ env: { RATE_LIMIT: '100', TRUSTED_PROXIES: '127.0.0.1' } })
const { db } = service

/** Uses up what an address may ask of sign-outs. */
async function useUpSignOuts(): Promise<void> {
  const ask = () => service.request('/api/auth/sign-out', { json: {}, headers: { origin: service.baseUrl } })
  for (let i = 0; i < 10; i++) await ask()
  expect((await ask()).status).toBe(429)
}

describe('signing out', () => {
  test('is said to be done only when it is', async () => {
    const { visitor, email } = await signUp(service)
    await useUpSignOuts()

    const refused = await visitor.submit('/sign-out', {})
    expect(textOf(refused)).toContain('Too many attempts.')
    expect(textOf(refused)).toContain(`You are signed in as ${email}`)
    expect((await visitor.open('/account')).at).toBe('/account')

    const elsewhere = { 'x-forwarded-for': '198.51.100.7' }
    expect(textOf(await visitor.submit('/sign-out', {}, elsewhere))).toContain('You are signed out.')
    expect((await visitor.open('/account')).at).toBe('/sign-in')
  })

  test('is done for whose session is over', async () => {
    const { visitor, email } = await signUp(service)
    await db
      .deleteFrom('session')
      .where('user_id', 'in', db.selectFrom('user').select('id').where('email', '=', email))
      .execute()
    await useUpSignOuts()

    expect(textOf(await visitor.submit('/sign-out', {}))).toContain('You are signed out.')
  })

  test('asks whoever comes by themselves, and names no application', async () => {
    const { visitor } = await signUp(service)

    const page = await visitor.open('/sign-out')

    expect(textOf(page)).toContain('Sign out?')
    expect(textOf(page)).not.toContain('An application asks')
    expect((await createVisitor(service).open('/sign-out')).at).toBe('/sign-in?notice=signed-out')
  })
})
