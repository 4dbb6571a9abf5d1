import { expect, test } from 'vitest'
import { type Document, operationsOf, ownUrl } from '../support/document.ts'
import { assertDocumented } from '../support/documented.ts'
import { startServiceForFile } from '../support/harness.ts'
import { examples } from '../support/openapi.ts'

const { services, request, createSignedIn } = await startServiceForFile()
const me = '/api/v1/auth/me'
const { token } = await createSignedIn()
const good = (await (await request(me, { token })).json()) as object

const answer = (body: object, status = 200, type = 'application/json') =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': type } })

test('N-26 every answer of /api/v1 to a test is held to the document', async () => {
  await assertDocumented(services, me, 'GET', answer(good))
  for (const [fault, wrong] of [
    ['unevaluated', answer({ ...good, surprise: 1 })],
    ['required', answer({ ...good, id: undefined })],
    ['must be boolean', answer({ ...good, banned: 'no' })],
    ['date-time', answer({ ...good, createdAt: 'today' })],
    ['not listed', answer(good, 202)],
    ['is not application/json', answer(good, 200, 'text/html')],
  ] as const) {
    await expect(assertDocumented(services, me, 'GET', wrong)).rejects.toThrow(fault)
  }
})

test('an operation says what it needs, and takes the scope of one’s account where it may be about oneself', async () => {
  const document = (await (await request(ownUrl)).json()) as Document
  const needs = operationsOf(document).map(({ operation }) => {
    const { operationId = '', security = [] } = operation
    const scopes = security.flatMap((way) => ('oauth2' in way ? (way.oauth2 as string[]) : []))
    const said = (operation as { 'x-required-permission'?: string })['x-required-permission']
    const isOwn = scopes.some((scope) => scope.startsWith('account:'))
    return { operationId, kind: examples[operationId]?.kind, said, isOwn }
  })

  for (const { operationId, said, isOwn, kind } of needs.filter((need) => need.kind !== 'own')) {
    expect([operationId, said?.endsWith(", or one's own"), isOwn]).toEqual([
      operationId,
      kind === 'orSelf',
      kind === 'orSelf',
    ])
  }
})
