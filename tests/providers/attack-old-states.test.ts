import { afterAll, describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'
import { createVisits } from '../support/provider-visits.ts'
import { startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const service = await startServiceForFile({ env: { BETTER_AUTH_URL: origin, ...providerEnv, ...provider.env } })
const { db } = service
const { newPerson, visitProvider, comeBack } = createVisits(provider, service)
const sessionCookie = service.services.sessionCookies.name

/** Lets so much time pass for a state, as if it had been given that much earlier. */
async function age(state: string, ms: number): Promise<void> {
  const rows = await db.selectFrom('verification').selectAll().where('value', 'like', `%${state}%`).execute()
  expect(rows).toHaveLength(1)
  for (const { id, value, expires_at } of rows) {
    const { expiresAt, ...rest } = JSON.parse(value) as { expiresAt: number }
    const earlier = { value: JSON.stringify({ ...rest, expiresAt: expiresAt - ms }) }
    const set = { ...earlier, expires_at: new Date(expires_at.getTime() - ms) }
    await db.updateTable('verification').set(set).where('id', '=', id).execute()
  }
}

const minute = 60_000

describe('X-01 a state', () => {
  test.each([
    ['is taken after nine minutes', 9 * minute, '/account', true],
    ['is refused after eleven minutes', 11 * minute, '/error?error=state_mismatch', false],
  ])('of an OpenID provider %s', async (_what, ms, at, isSignedIn) => {
    const [visitor, person] = [createVisitor(service), newPerson()]
    const back = await visitProvider(visitor, person)

    await age(back.searchParams.get('state') ?? '', ms)
    const sight = await comeBack(visitor, back)

    expect([sight.at, visitor.cookies.has(sessionCookie)]).toEqual([at, isSignedIn])
    const users = await db.selectFrom('user').select('id').where('email', '=', person.email).execute()
    expect(users).toHaveLength(isSignedIn ? 1 : 0)
  })

  test.each(['google', 'github'])('of %s is known for ten minutes', async (id) => {
    const errorAfter = async (ms: number) => {
      const visitor = createVisitor(service)
      const { at } = await visitor.submit('/sign-in/social', { provider: id })
      const state = new URL(at).searchParams.get('state') ?? ''
      await age(state, ms)
      return visitor.open(`/api/auth/callback/${id}?state=${state}`)
    }

    // It is looked at before the code, without which nothing is asked of the provider.
    expect((await errorAfter(9 * minute)).at).toBe('/error?error=no_code')
    const sight = await errorAfter(11 * minute)
    expect(sight.at).toBe('/error?error=state_mismatch')
    expect(textOf(sight)).toContain('has taken too long')
  })
})
