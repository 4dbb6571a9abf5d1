import { expect, test } from 'vitest'
import { assertDocumented } from '../support/documented.ts'
import { startServiceForFile } from '../support/harness.ts'

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
