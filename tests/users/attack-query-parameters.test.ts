import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadDocuments, operationsOf, type Schema } from '../support/document.ts'
import { startServiceForFile } from '../support/harness.ts'
import { clientOf, grantClient } from '../support/openapi.ts'
import { watchQueries } from '../support/query-count.ts'
import { invalidAt, problemOf } from '../support/wire.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const { db, request } = service
const admin = await grantClient(service, await service.createSignedIn('admin'))
// Of each list there is a second page.
await service.signIn(admin)
await grantClient(service, await service.createUser())
const { own, ajv } = await loadDocuments(service)

interface Parameter {
  in: string
  name: string
  schema: Schema & { example?: string | number; enum?: string[]; type?: string }
}

const payloads = readFileSync(new URL('../support/sql-payloads.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
const isSleeper = (payload: string) => payload.includes('sleep')

const reads = operationsOf(own)
  .filter(({ method }) => method === 'get')
  .map(({ path, operation }) => ({ path, parameters: (operation.parameters ?? []) as Parameter[] }))
const lists = reads.filter(({ parameters }) => parameters.some(({ name }) => name === 'limit'))
const slots = reads.flatMap(({ path, parameters }) =>
  parameters.map((parameter) => [path, parameter.name, parameter] as const),
)

/** Reads at a path of the document, with this value of a parameter. */
function ask(path: string, parameter?: Pick<Parameter, 'in' | 'name'>, value = ''): Promise<Response> {
  const own = path.startsWith('/clients/') ? clientOf(admin.id) : admin.id
  const id = parameter?.in === 'path' ? encodeURIComponent(value) : own
  const query = parameter?.in === 'query' ? `?${new URLSearchParams({ [parameter.name]: value }).toString()}` : ''
  return request(`/api/v1${path.replace('{id}', id)}${query}`, { token: admin.token })
}

/** Which parameter is at fault, or the status. */
async function outcomeOf(response: Response): Promise<string> {
  if (response.status !== 422) return String(response.status)
  return (await problemOf(response)).at.join()
}

/** A value that is taken: of a cursor, one that a page has told. */
async function goodValue(path: string, { name, schema }: Parameter): Promise<string> {
  if (name === 'id') return path.startsWith('/clients/') ? clientOf(admin.id) : admin.id
  if (name !== 'cursor') return String(schema.example ?? schema.enum?.[0] ?? schema.type === 'boolean')
  const { page } = (await (await ask(path, { in: 'query', name: 'limit' }, '1')).json()) as {
    page: { nextCursor: string | null }
  }
  return page.nextCursor ?? ''
}

/** Whether the document says that a value is one of a parameter. */
function fits({ schema }: Parameter, payload: string): boolean {
  const isNumber = schema.type === 'integer' && /^\d+$/.test(payload)
  const isTruth = schema.type === 'boolean' && /^(true|false)$/.test(payload)
  return ajv.validate(schema, isNumber ? Number(payload) : isTruth ? payload === 'true' : payload)
}

async function everything(): Promise<unknown> {
  const users = await db.selectFrom('user').select(['id', 'role', 'email', 'name']).orderBy('id').execute()
  const sessions = await db.selectFrom('session').select('id').orderBy('id').execute()
  const clients = await db.selectFrom('oauth_client').select('id').orderBy('id').execute()
  const events = await db.selectFrom('audit_event').select('seq').orderBy('seq').execute()
  return { users, sessions, clients, events }
}

/** Asks with each of some values, and tells what came of it, and how long one took. */
async function withEach(values: string[], path: string, parameter: Parameter) {
  const outcomes: [payload: string, outcome: string][] = []
  const startedAt = performance.now()
  for (let i = 0; i < values.length; i += 10) {
    const some = values.slice(i, i + 10)
    outcomes.push(
      ...(await Promise.all(
        some.map(
          async (value): Promise<[string, string]> => [value, await outcomeOf(await ask(path, parameter, value))],
        ),
      )),
    )
  }
  return { outcomes, each: (performance.now() - startedAt) / values.length }
}

const failures = () => service.logLines().filter((line) => (JSON.parse(line) as { level: number }).level > 40)

test('N-01, N-17 every list and every parameter of the document is asked', () => {
  expect(lists.length).toBeGreaterThan(4)
  expect(slots.length).toBeGreaterThan(35)
  expect(new Set(payloads).size).toBe(200)
})

describe.each(slots)('N-01 two hundred pieces of SQL: %s %s', (path, name, parameter) => {
  test('are refused, or no more than words', async () => {
    const good = await goodValue(path, parameter)
    expect([good, await outcomeOf(await ask(path, parameter, good))]).toEqual([good, '200'])

    const before = await everything()
    const answered: Awaited<ReturnType<typeof withEach>>[] = []
    const texts = await queriesOf(async () => {
      for (const some of [payloads.filter((payload) => !isSleeper(payload)), payloads.filter(isSleeper)])
        answered.push(await withEach(some, path, parameter))
    })

    const allowed = parameter.in === 'path' ? ['404', name] : ['200', name]
    const wrong = answered
      .flatMap(({ outcomes }) => outcomes)
      .filter(([payload, outcome]) => !(fits(parameter, payload) ? allowed : [name, '404']).includes(outcome))
    expect(wrong).toEqual([])
    // None is a part of what the database is asked.
    const pieces = payloads.filter((payload) => payload.length > 8)
    expect(texts.filter((text) => pieces.some((piece) => text.includes(piece)))).toEqual([])
    // Each that sleeps would do so for five seconds.
    const [others, sleepers] = answered.map(({ each }) => each)
    expect((sleepers ?? 0) / (others ?? 0)).toBeLessThan(20)
    expect(await everything()).toEqual(before)
    expect(failures()).toEqual([])
  })
})

const badLimits = ['0', '-1', '1000000000', '101', 'NaN', '1.5', '0x10', ' 1', '1 ', '+1', '1e1', '', '01', '١']

describe.each(lists)('N-17 $path', ({ path }) => {
  test.each([...badLimits, '9223372036854775808'])('has no page with the limit %j', async (limit) => {
    expect(await problemOf(await ask(path, { in: 'query', name: 'limit' }, limit))).toEqual(invalidAt('limit'))
  })

  test.each(['offset', 'page', 'skip', 'after', 'per_page'])('has no %s', async (name) => {
    for (const value of ['0', '1', '9223372036854775808'])
      expect(await problemOf(await ask(path, { in: 'query', name }, value))).toEqual(invalidAt(name))
  })

  test.each(['1', '25', '100'])('has a page with the limit %s', async (limit) => {
    const response = await ask(path, { in: 'query', name: 'limit' }, limit)
    const { data, page } = (await response.json()) as { data: unknown[]; page: { limit: number } }
    expect([response.status, page.limit, data.length <= page.limit]).toEqual([200, Number(limit), true])
  })

  test('has one limit at a time', async () => {
    const id = path.replace('{id}', admin.id)
    const response = await request(`/api/v1${id}?limit=1&limit=1000`, { token: admin.token })
    expect(await problemOf(response)).toEqual(invalidAt('limit'))
  })
})
