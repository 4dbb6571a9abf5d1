import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { type EventFilter, listEvents, listEventsOf } from '../../src/audit/audit.queries.ts'
import { auditActions } from '../../src/resources/audit-actions.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { plansOf } from '../support/plans.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

interface Wire {
  seq: number
  createdAt: string
  action: string
  actor: { type: string; id: string | null; clientId: string | null }
  target: { type: string; id: string | null } | null
  changes: Record<string, { from: unknown; to: unknown }>
  reason: string | null
  requestId: string | null
  ipAddress: string | null
  userAgent: string | null
}
interface Page {
  data: Wire[]
  page: { limit: number; nextCursor: string | null }
  total?: { value: number; relation: string }
}

const get = (path: string, caller: SignedIn = admin) => request(`/api/v1${path}`, { token: caller.token })
const pageAt = async (path: string, caller?: SignedIn) => (await (await get(path, caller)).json()) as Page
const latest = async () => (await pageAt('/audit-events?limit=1')).data[0]?.createdAt ?? ''
const headers = { 'user-agent': 'test agent' }
const act = (method: string, path: string, json: object, caller = admin) =>
  request(`/api/v1${path}`, { method, token: caller.token, json, headers })

describe('GET /audit-events', () => {
  test('tells all of an event, and nothing of the chain', async () => {
    const user = await service.createUser()
    const response = await act('POST', `/users/${user.id}/ban`, { reason: 'Spam' })

    const { data } = await pageAt(`/audit-events?target=${user.id}&limit=1`)
    expect(data).toEqual([
      {
        seq: expect.any(Number) as unknown,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
        action: 'user.banned',
        actor: { type: 'user', id: admin.id, clientId: null },
        target: { type: 'user', id: user.id },
        changes: { banned: { from: false, to: true }, banReason: { from: null, to: 'Spam' } },
        reason: 'Spam',
        requestId: response.headers.get('x-request-id'),
        ipAddress: '127.0.0.1',
        userAgent: 'test agent',
      },
    ])
  })

  test('page by page, latest first, none twice and none left out while more come', async () => {
    const seen: number[] = []
    let query = 'limit=3&include=total'
    const { total } = await pageAt(`/audit-events?${query}`)
    for (;;) {
      const { data, page, total: again } = await pageAt(`/audit-events?${query}`)
      expect(again === undefined).toBe(!query.includes('total'))
      seen.push(...data.map(({ seq }) => seq))
      if (page.nextCursor === null) break
      await service.createUser()
      query = `limit=3&cursor=${page.nextCursor}`
    }
    expect(seen.at(-1)).toBe(1)
    expect(seen).toEqual(Array.from(seen, (_, i) => seen.length - i))
    expect(total).toEqual({ value: seen.length, relation: 'eq' })
  })

  test('by actor, target, action and time, and all of them together', async () => {
    const other = await service.createSignedIn('admin')
    const [one, two] = [await service.createUser(), await service.createUser()]
    await act('PUT', `/users/${one.id}/role`, { role: 'moderator' }, other)
    const from = await latest()
    await act('PUT', `/users/${two.id}/role`, { role: 'moderator' }, other)
    await act('PATCH', `/users/${two.id}`, { name: 'Renamed' }, other)
    await act('PUT', `/users/${two.id}/role`, { role: 'user' })
    const to = await latest()

    const found = async (query: string) =>
      (await pageAt(`/audit-events?${query}`)).data.map(({ action, target }) => [action, target?.id])
    expect(await found(`actor=${other.id}`)).toEqual([
      ['user.updated', two.id],
      ['user.role_changed', two.id],
      ['user.role_changed', one.id],
    ])
    expect(await found(`actor=${other.id}&action=user.role_changed&target=${two.id}`)).toEqual([
      ['user.role_changed', two.id],
    ])
    // What is told to the millisecond is kept to the microsecond.
    const later = new Date(Date.parse(from) + 1).toISOString()
    const times = `actor=${other.id}&createdAfter=${later}&createdBefore=${to}`
    expect(await found(times)).toEqual([
      ['user.updated', two.id],
      ['user.role_changed', two.id],
    ])
    expect(await found(`actor=${other.id}&createdBefore=${later}`)).toEqual([['user.role_changed', one.id]])
    expect(await found('createdAfter=2099-01-01T00:00:00Z')).toEqual([])
    expect(await found('createdBefore=2001-01-01T00:00:00Z')).toEqual([])
  })

  test.each(['action=user.renamed', 'actor=', 'target=%00', 'createdAfter=yesterday', 'who=me', 'limit=0', 'cursor=x'])(
    'refuses %s',
    async (query) => {
      expect((await get(`/audit-events?${query}`)).status).toBe(422)
    },
  )

  test('takes a cursor for the query alone that it came of', async () => {
    const { page } = await pageAt('/audit-events?limit=1&action=user.created')
    const cursor = String(page.nextCursor)
    expect((await get(`/audit-events?action=user.created&cursor=${cursor}`)).status).toBe(200)
    expect((await get(`/audit-events?cursor=${cursor}`)).status).toBe(422)
    expect((await get(`/users/${admin.id}/audit-events?action=user.created&cursor=${cursor}`)).status).toBe(422)
  })

  test('is for who has the permission', async () => {
    const user = await service.createSignedIn()
    const moderator = await service.createSignedIn('moderator')
    expect((await get('/audit-events', user)).status).toBe(403)
    expect((await get('/audit-events', moderator)).status).toBe(403)
  })
})

describe('GET /users/{id}/audit-events', () => {
  test('tells users what they did and what was done to them, and no more', async () => {
    const user = await service.createSignedIn()
    await act('PATCH', '/users/me', { name: 'Renamed' }, user)
    await act('PUT', `/users/${user.id}/role`, { role: 'moderator' })
    await act('PUT', `/users/${(await service.createUser()).id}/role`, { role: 'moderator' })

    const { data, total } = await pageAt('/users/me/audit-events?include=total', user)
    expect(data.map(({ action, actor, ipAddress, userAgent }) => [action, actor.id, ipAddress, userAgent])).toEqual([
      ['user.role_changed', admin.id, null, null],
      ['user.updated', user.id, '127.0.0.1', 'test agent'],
      ['session.created', expect.any(String), null, null],
      ['user.created', expect.any(String), null, null],
    ])
    expect(total).toEqual({ value: 4, relation: 'eq' })
    const { data: whole, total: unasked } = await pageAt(`/users/${user.id}/audit-events?limit=1`)
    expect(unasked).toBeUndefined()
    expect(whole).toMatchObject([{ action: 'user.role_changed', ipAddress: '127.0.0.1', userAgent: 'test agent' }])
    const first = await pageAt('/users/me/audit-events?limit=3', user)
    const rest = await pageAt(`/users/me/audit-events?cursor=${first.page.nextCursor}`, user)
    expect([...first.data, ...rest.data]).toEqual(data)
  })

  test('does not tell a former admin what they changed of others', async () => {
    const former = await service.createSignedIn('admin')
    const user = await service.createUser()
    await act('POST', `/users/${user.id}/ban`, { reason: 'A secret of theirs' }, former)
    const asAdmin = await pageAt('/users/me/audit-events?limit=1', former)
    expect(asAdmin.data).toMatchObject([{ action: 'user.banned', reason: 'A secret of theirs' }])

    await act('PUT', `/users/${former.id}/role`, { role: 'user' })
    const { data } = await pageAt('/users/me/audit-events?action=user.banned', former)
    expect(data).toMatchObject([{ target: { id: user.id }, changes: {}, reason: null }])
  })

  test('of others, and of nobody, is for who may read the log', async () => {
    const [user, other] = [await service.createSignedIn(), await service.createUser()]
    const strange = await get(`/users/${other.id}/audit-events`, user)
    const nobody = await get('/users/nobody/audit-events', user)
    expect([strange.status, nobody.status]).toEqual([403, 403])
    expect((await get('/users/nobody/audit-events')).status).toBe(404)
  })
})

test('the database and the service know the same actions', async () => {
  const { rows } = await sql<{ definition: string }>`
    select pg_get_constraintdef(c.oid) as definition from pg_constraint as c join pg_type as t on t.oid = c.contypid
    where t.typname = 'audit_action'`.execute(db)
  const known = [...(rows[0]?.definition ?? '').matchAll(/'([\w.]+)'/g)].map(([, action]) => action)
  expect(known).toEqual(Object.keys(auditActions))
})

describe('among 100,000 events no filter reads the table', () => {
  const count = 100_000
  const early = new Date('2020-01-02T00:00:00Z')
  const filters: [string, EventFilter][] = [
    ['nothing', {}],
    ['an actor', { actor: 'actor-7' }],
    ['a target', { target: 'target-7' }],
    ['an action', { action: 'key.removed' }],
    ['an early time', { createdBefore: early }],
    ['a late time', { createdAfter: new Date('2099-01-01T00:00:00Z') }],
    ['an actor in an early time', { actor: 'actor-7', createdBefore: early }],
  ]
  const page = { after: undefined, limit: 26 }

  test('with a page of all, or of one user', async () => {
    const takenBack = new Error('taken back')
    const looking = db.transaction().execute(async (trx) => {
      await sql`alter table audit_event disable trigger user`.execute(trx)
      await sql`
        insert into audit_event (seq, created_at, action, actor_type, actor_id, target_type, target_id, changes, hash)
        select 1000000 + n, '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 minute',
          case when n % 5000 = 0 then 'key.removed' else 'user.updated' end, 'user', 'actor-' || n % 1000, 'user',
          'target-' || n % 10000, '{}', ''
        from generate_series(1, ${count}) as n`.execute(trx)
      await sql`analyze audit_event`.execute(trx)
      for (const [name, filter] of filters) {
        const plans = await plansOf(trx, async (on) => {
          await listEvents(on, filter, page)
          await listEventsOf(on, 'actor-7', filter, page)
        })
        expect(plans).toHaveLength(2)
        expect([name, ...plans.flatMap(({ sequential }) => sequential)]).toEqual([name])
      }
      throw takenBack
    })
    await expect(looking).rejects.toBe(takenBack)
  })
})
