import { afterAll, expect, test } from 'vitest'
import { type AuditRow, eventsOf } from '../support/audit.ts'
import { startServiceForFile } from '../support/harness.ts'
import { createVisits } from '../support/provider-visits.ts'
import { startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor } from '../support/visitor.ts'

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const service = await startServiceForFile({ env: { BETTER_AUTH_URL: origin, ...provider.env } })
const { db } = service
const { newPerson, signIn, visitProvider, comeBack } = createVisits(provider, service)

const summary = (rows: AuditRow[]) =>
  rows.map(({ action, target_id, actor_id, request_id, ip_address }) => [
    action,
    actor_id === target_id,
    request_id !== null,
    ip_address,
  ])
const own = (action: string) => [action, true, true, '127.0.0.1']

test('who comes from a provider has the events of a sign-up, and then of a sign-in, with the way', async () => {
  const person = newPerson()
  const first = await eventsOf(db, () => signIn(person))
  expect(summary(first)).toEqual([own('user.created'), own('account.linked'), own('session.created')])
  expect(first[1]?.changes).toEqual({
    providerId: { from: null, to: 'oidc' },
    accountId: { from: null, to: person.id },
  })
  const again = await eventsOf(db, () => signIn(person))
  expect(summary(again)).toEqual([own('session.created')])
  expect(again[0]?.changes['way']).toEqual({ from: null, to: 'oidc' })
})

test('and the end of the session in whose place they come', async () => {
  const before = await service.createSignedIn()
  const visitor = createVisitor(service, before.cookie)
  const back = await visitProvider(visitor, newPerson())

  const rows = await eventsOf(db, () => comeBack(visitor, back))

  expect(rows.at(-1)).toMatchObject({ action: 'session.ended', target_id: before.id, reason: 'replaced' })
})

test('who is banned, or has an address of somebody else, has the event of a sign-in that failed', async () => {
  const person = newPerson()
  await signIn(person)
  await db.updateTable('user').set({ banned: true }).where('email', '=', person.email).execute()
  const banned = await eventsOf(db, () => signIn(person))
  expect(banned).toMatchObject([
    { action: 'sign_in.failed', actor_type: 'user', actor_id: null, target_type: 'user', reason: 'BANNED_USER' },
  ])

  const { email } = await service.createUser({ emailVerified: false })
  const other = await eventsOf(db, () => signIn(newPerson({ email, isVerified: false })))
  expect(other).toMatchObject([
    { action: 'sign_in.failed', target_type: null, target_id: null, reason: 'account_not_linked' },
  ])
})

test('a callback that anybody makes up has none', async () => {
  const visitor = createVisitor(service)
  const back = await visitProvider(visitor, newPerson())
  back.searchParams.set('state', 'x'.repeat(32))
  const rows = await eventsOf(db, async () => {
    await comeBack(visitor, back)
    for (const method of ['GET', 'POST'])
      await service.request('/api/auth/callback/oidc?error=account_not_linked', { method })
  })
  expect(rows).toEqual([])
})
