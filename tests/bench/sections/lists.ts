import { type Arranged, arrange, startBetterAuth } from '../arrange.ts'
import { type Bench, type Candidate, compare, withClient } from '../bench.ts'
import type { Shot } from '../load/job.ts'
import type { ServerProcess } from '../processes.ts'
import { type Check, figure, type Row, ratio, type Section, worst } from '../report.ts'
import { bearer, bodyOf } from '../service.ts'
import { addUsers, dropSearchIndexes, searchesIn, searchKinds, withoutIndexes } from '../users.ts'

const filters = {
  'filter by role': 'role=moderator',
  'filter by ban': 'banned=true',
  'filter by provider': 'provider=github',
  'two filters': 'provider=google&emailVerified=false',
}
const smallest = 1_000
const fewConnections = 4

/** Lists of users, whose cost must not grow with the table. */
export async function lists(bench: Bench): Promise<Section> {
  const sizes = bench.options.quick ? [smallest, 20_000] : [smallest, 100_000, 1_000_000]
  const largest = sizes.at(-1) ?? smallest
  const candidates: Record<string, Candidate> = {}
  const few: Record<string, Candidate> = {}
  for (const size of sizes) {
    const { arranged, deep } = await fill(bench, size)
    const { service, admin } = arranged
    const headers = bearer(admin.token)
    const shots = (...queries: string[]): Candidate => ({
      server: service,
      shots: queries.map((query): Shot => ({ path: `/api/v1/users?${query}`, headers })),
      seconds: Math.min(2, bench.options.seconds),
    })
    const searches = await withClient(arranged.database, (client) => searchesIn(client, size))
    const texts = Object.entries(searches)
    const search = (words: string[]) => shots(...words.map((q) => new URLSearchParams({ q }).toString()))
    candidates[label('first page', size)] = shots('limit=25')
    candidates[label('deep page', size)] = shots(deep)
    for (const [name, query] of Object.entries(filters)) candidates[label(name, size)] = shots(query)
    if (size === smallest) continue
    for (const [kind, words] of texts)
      candidates[label(`search, ${kind}`, size)] = { ...search(words), connections: fewConnections }
    if (size < largest) continue
    candidates[label('with the total', size)] = shots('include=total')
    const plain = await arrangePlain(bench, size)
    const betterAuth = await startBetterAuth(bench, plain)
    for (const [kind, words] of texts) {
      few[`Latchkey, ${kind}`] = { ...search(words), connections: fewConnections }
      few[`Better-Auth, ${kind}`] = await listUsers(plain, betterAuth, words)
    }
  }
  const rows = await compare(bench, candidates)
  const searches = await compare(bench, few)
  return {
    title: 'GET /api/v1/users',
    notes: [
      `Tables of ${sizes.map((size) => size.toLocaleString('en')).join(', ')} users; the deep page is the one after nine tenths of them.`,
      `A rare text is found a few times, a common one in thousands of users, an absent one never; an address is a whole one, name@domain the end of one; swapped words are a name the wrong way round; pieces are texts that nobody has, as com.example, and whose pieces everybody has. Searches have ${fewConnections} connections: with more, Better-Auth’s /admin/list-users comes to no end, and ours waits for the processors. The table of the former has no index for searches.`,
    ],
    rows: [...rows, ...searches],
    checks: [
      ...growth(rows, sizes),
      ...against(searches),
      ...patience(rows, largest),
      figure(
        `search in ${largest.toLocaleString('en')} users, the worst of ${searchKinds.length} kinds, beside Better-Auth’s`,
        worst('Latchkey / Better-Auth, any search', against(searches)),
      ),
      figure(`– p99, ${fewConnections} connections`, worst('any search, p99', patience(rows, largest))),
    ],
  }
}

/** How much longer the largest table takes than the smallest one. */
function growth(rows: Row[], sizes: number[]): Check[] {
  return ['first page', 'deep page', ...Object.keys(filters)].flatMap((name) =>
    sizes.slice(1).map((size) => {
      const check = ratio(rows, 'p99Ms', label(name, size), label(name, smallest), { atMost: 1.5 })
      const what = `${name} of ${size.toLocaleString('en')} users, p99, to that of ${smallest.toLocaleString('en')}`
      return size === sizes.at(-1) ? figure(what, check) : check
    }),
  )
}

function against(searches: Row[]): Check[] {
  return searchKinds.map((kind) =>
    ratio(searches, 'perSecond', `Latchkey, ${kind}`, `Better-Auth, ${kind}`, { atLeast: 20 }),
  )
}

function patience(rows: Row[], size: number): Check[] {
  return searchKinds.map((kind) => {
    const name = label(`search, ${kind}`, size)
    const values = rows.find((row) => row.name === name)?.metrics['p99Ms'] ?? []
    return { name: `${name}, p99`, unit: 'ms', values, target: { atMost: 100 } }
  })
}

function label(name: string, size: number): string {
  return `${name}, ${size.toLocaleString('en')}`
}

/** A service with so many users, and the query of a page deep in the list. */
async function fill(bench: Bench, size: number): Promise<{ arranged: Arranged; deep: string }> {
  const arranged = await arrange(bench)
  const { database, service, admin } = arranged
  const headers = bearer(admin.token)
  const older = Math.ceil(size / 10)
  const page = async (query: string) =>
    JSON.parse(await bodyOf(`${service.url}/api/v1/users?${query}`, headers)) as {
      data: unknown[]
      page: { nextCursor: string | null }
    }
  const query = 'limit=25&createdBefore=2030-01-01T00:00:00Z'
  await withClient(database, (client) => addUsers(client, { size, from: 1, to: older }))
  const cursor = (await page(query)).page.nextCursor
  // All others are newer and come before: what was the second page is now nine tenths down the list.
  await withClient(database, async (client) => {
    await withoutIndexes(client, () => addUsers(client, { size, from: older + 1, to: size }))
    await client.query('vacuum analyze')
  })
  const deep = `${query}&cursor=${encodeURIComponent(cursor ?? '')}`
  const { length } = (await page(deep)).data
  if (length !== 25) throw new Error(`The deep page has ${length} users`)
  return { arranged, deep }
}

/** The same users in a table that is not made for searches. */
async function arrangePlain(bench: Bench, size: number): Promise<Arranged> {
  const arranged = await arrange(bench)
  await withClient(arranged.database, async (client) => {
    await dropSearchIndexes(client)
    await withoutIndexes(client, () => addUsers(client, { size, from: 1, to: size }))
    await client.query('vacuum analyze')
  })
  return arranged
}

/** The same search at Better-Auth's own endpoint, in addresses: it looks in one column at a time. */
async function listUsers({ admin }: Arranged, server: ServerProcess, words: string[]): Promise<Candidate> {
  const headers = { cookie: admin.cookie }
  const common = { searchField: 'email', searchOperator: 'contains', limit: '25', sortBy: 'createdAt' }
  const shots = words.map((searchValue): Shot => {
    const query = new URLSearchParams({ ...common, sortDirection: 'desc', searchValue: searchValue.toLowerCase() })
    return { path: `/api/auth/admin/list-users?${query.toString()}`, headers }
  })
  await bodyOf(`${server.url}${shots[0]?.path}`, headers)
  return { server, shots, connections: fewConnections }
}
