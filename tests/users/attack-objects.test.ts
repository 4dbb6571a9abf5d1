import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { clientOf, documentedOperations, examples, grantClient } from '../support/openapi.ts'
import { watchQueries } from '../support/query-count.ts'
import { createCalls, refusal, refusalOf } from '../support/refusals.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const operations = await documentedOperations(service)
const target = await grantClient(service, await service.createSignedIn())
const admin = await service.createSignedIn('admin')
const ordinary = await service.createSignedIn()
const formerAdmin = await service.createSignedIn('admin')
await service.db.updateTable('user').set({ role: 'user' }).where('id', '=', formerAdmin.id).execute()
const { call, stateOf } = createCalls(service, target)

const credentials = ['token', 'cookie'] as const
const aboutOthers = operations.filter(({ id }) => examples[id]?.kind !== 'own')
const aboutUsers = operations.filter(({ id }) => examples[id]?.kind === 'orSelf')
const byId = aboutOthers.filter(({ path }) => path.includes('{'))

describe.each(aboutOthers)('O-01, O-02, O-03, O-05, O-06 $id about somebody else', (operation) => {
  describe.each(credentials)('with a %s', (credential) => {
    test.each([
      ['an ordinary user', ordinary],
      ['(A-05, J-39) a former admin, whose token still says admin', formerAdmin],
    ])('refuses %s', async (_name, user: SignedIn) => {
      const before = await stateOf(target.id)

      const response = await call(operation, { [credential]: user[credential] })

      expect(await refusalOf(response)).toEqual(refusal(403, 'forbidden', null))
      expect(await stateOf(target.id)).toEqual(before)
    })

    test('I-14 answers alike, by the same work, whether that user exists', async () => {
      const nobody = { ...target, id: randomUUID(), sessionId: randomUUID() }
      const answers: object[] = []
      for (const user of [target, nobody]) {
        const queries = await queriesOf(async () => {
          const response = await call(operation, { [credential]: ordinary[credential] }, user)
          const { instance: _, ...body } = (await response.json()) as Record<string, unknown>
          answers.push({ status: response.status, body })
        })
        answers.push(queries)
      }

      expect(answers.slice(0, 2)).toEqual(answers.slice(2))
      expect(answers[0]).toMatchObject({ status: 403 })
    })
  })
})

describe.each(aboutUsers)('O-01, O-02, O-03, O-05, O-06 $id about oneself', (operation) => {
  test.each(credentials)('answers with a %s', async (credential) => {
    const user = await grantClient(service, await service.createSignedIn())

    const response = await call(operation, { [credential]: user[credential] }, user)

    expect(response.status).toBe(operation.success)
  })
})

describe.each(byId)('O-11 $id', (operation) => {
  test('finds nothing by the id of something else', async () => {
    const before = await stateOf(target.id)
    const others = [target.sessionId, clientOf(target.id), 'credential', randomUUID()]
    const names = operation.path.includes('/clients/') ? [target.id, target.sessionId, randomUUID()] : others

    for (const id of names) {
      const path = operation.path.replace('{id}', id).replace(/\{\w+\}/, id)
      const example = examples[operation.id]?.body
      const response = await service.request(path, {
        method: operation.method,
        token: admin.token,
        ...(example && { json: example() }),
      })
      expect(await refusalOf(response)).toEqual(refusal(404, 'not-found', null))
    }
    expect(await stateOf(target.id)).toEqual(before)
  })
})

test.each(['revokeUserSession', 'endUserGrant'])(
  'O-05, O-11 %s finds nothing of somebody else under one’s own id',
  async (name) => {
    const operation = operations.find(({ id }) => id === name)
    const before = await stateOf(target.id)
    const path = operation?.path
      .replace('{id}', 'me')
      .replace('{sid}', target.sessionId)
      .replace('{clientId}', clientOf(target.id))

    const response = await service.request(String(path), { method: 'DELETE', token: ordinary.token })

    expect(await refusalOf(response)).toEqual(refusal(404, 'not-found', null))
    expect(await stateOf(target.id)).toEqual(before)
  },
)
