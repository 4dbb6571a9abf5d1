import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const { auth } = await createDoors(service)

describe.each<[path: string, json: object]>([
  ['/admin/set-role', { role: 'user' }],
  ['/admin/update-user', { data: { name: 'Eve' } }],
  ['/admin/ban-user', {}],
  ['/admin/unban-user', {}],
  ['/admin/impersonate-user', {}],
  ['/admin/list-user-sessions', {}],
  ['/admin/revoke-user-session', {}],
  ['/admin/revoke-user-sessions', {}],
  ['/admin/remove-user', {}],
])('I-14, E-14 Better-Auth’s %s', (path, json) => {
  let [admin, victim, ordinary]: SignedIn[] = []
  beforeAll(async () => {
    ;[admin, victim, ordinary] = await Promise.all(
      ['admin', 'admin', 'user'].map((role) => service.createSignedIn(role)),
    )
  })
  const ask = async (actor: { cookie: string }, { id, sessionId }: Pick<SignedIn, 'id' | 'sessionId'>) => {
    const { status, body, cookies } = await auth(actor, path, { userId: id, sessionToken: sessionId, ...json })
    return { status, body, cookies }
  }

  test('tells nobody without the permission who there is, or who is an admin, and locks nobody for them', async () => {
    const known = await service.createSignedIn()
    const nobody = { id: randomUUID(), sessionId: randomUUID() }
    for (const actor of [ordinary as SignedIn, { cookie: 'of=nobody' }]) {
      // What is known of who asks is remembered.
      await ask(actor, nobody)
      const answers: unknown[] = []
      for (const target of [known, victim as SignedIn, nobody]) {
        const queries = await queriesOf(async () => answers.push(await ask(actor, target)))
        expect(queries.join('\n')).not.toMatch(/for (no key )?update|for share|lock_authority|begin/i)
        answers.push(queries)
      }
      expect(answers.slice(0, 2)).toEqual(answers.slice(2, 4))
      expect(answers.slice(0, 2)).toEqual(answers.slice(4))
      expect(answers[0]).toMatchObject({ status: actor === ordinary ? 403 : 401 })
    }
  })

  test('is nobody’s whose session is over', async () => {
    const over = await service.createSignedIn('admin')
    await service.db
      .updateTable('session')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .where('id', '=', over.sessionId)
      .execute()
    expect(await ask(over, victim as SignedIn)).toMatchObject({ status: 401 })
  })

  test('does it for who has the permission', async () => {
    expect(await ask(admin as SignedIn, await service.createSignedIn())).toMatchObject({ status: 200 })
  })
})

test.each(['list-user-sessions', 'revoke-user-sessions'])('Better-Auth’s %s knows who is not there', async (name) => {
  const admin = await service.createSignedIn('admin')
  const { status, refusal } = await auth(admin, `/admin/${name}`, { userId: randomUUID() })
  expect([status, refusal]).toEqual([404, 'USER_NOT_FOUND'])
})
