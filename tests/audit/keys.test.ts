import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { eventsOf } from '../support/audit.ts'
import { createBareClient } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, request } = service
const client = createBareClient(service, await registerClient(service))

test('signing keys have their events, and no private key is in one', async () => {
  const rows = await eventsOf(db, async () => {
    await sql`update jwks set expires_at = now() + interval '1 minute'`.execute(db)
    await service.services.upkeep.run()
    await sql`update jwks set active_at = active_at where false`.execute(db)
  })
  expect(rows.map(({ action, actor_id }) => [action, actor_id])).toMatchObject([
    ['key.updated', expect.any(String)],
    ['key.created', 'upkeep'],
  ])
  expect(Object.keys(rows[1]?.changes ?? {}).sort()).toEqual(['activeAt', 'alg', 'expiresAt', 'publicKey'])
})

test.each<[string, (user: SignedIn) => Promise<unknown>]>([
  ['of a user', ({ cookie }) => request('/api/auth/token', { cookie })],
  ['of a client', async (user) => client.redeem(await client.codeFor(createVisitor(service, user.cookie)))],
])('a key that is made for the request %s is made by the service', async (_, ask) => {
  const user = await service.createSignedIn()
  await db.deleteFrom('jwks').execute()
  const rows = await eventsOf(db, () => ask(user))
  expect(rows.filter(({ action }) => action === 'key.created')).toMatchObject([
    { actor_type: 'system', actor_id: 'upkeep', client_id: null },
  ])
})
