import { arrange } from '../arrange.ts'
import { type Bench, type Candidate, compare, withClient } from '../bench.ts'
import { addPeople } from '../people.ts'
import { figure, ratio, type Section } from '../report.ts'
import { bearer, bodyOf, mePath, startBaseline, startService } from '../service.ts'

const tokenPath = '/api/auth/token'

/** What a second worker on the same socket adds, and what it adds to a server that does nothing. */
export async function workers(bench: Bench): Promise<Section> {
  const { database, service, admin, signer } = await arrange(bench, { env: { RATE_LIMIT: '0' } })
  const env = { RATE_LIMIT: '0', BETTER_AUTH_URL: service.baseUrl, WEB_CONCURRENCY: '2' }
  const two = await startService(bench, database, { env })
  const people = await withClient(database, (client) => addPeople(client, 200))
  const BODY = await bodyOf(`${service.url}${mePath}`, bearer(admin.token))
  const cookies = people.map(({ cookie }) => ({ path: tokenPath, headers: { cookie } }))
  const tokens = await Promise.all(
    people.map(async (person) => ({ path: mePath, headers: bearer(await signer.sign(person)) })),
  )
  const candidates: Record<string, Candidate> = {}
  for (const count of [1, 2]) {
    const server = count === 1 ? service : two
    const bare = await startBaseline(bench, 'bare', { BODY, WORKERS: String(count) })
    candidates[label('me', count)] = { server, shots: tokens }
    candidates[label('token', count)] = { server, shots: cookies }
    candidates[label('bare Hono', count)] = { server: bare, shots: tokens }
  }
  const rows = await compare(bench, candidates)
  return {
    title: 'One worker and two',
    notes: [
      'WEB_CONCURRENCY. The generator and PostgreSQL need processors too: what is left for the second worker is what bare Hono gains by one.',
    ],
    rows,
    checks: [
      figure('two workers, beside one', ratio(rows, 'perSecond', label('me', 2), label('me', 1), { atLeast: 1.6 })),
      ratio(rows, 'perSecond', label('token', 2), label('token', 1)),
      figure(
        '– what bare Hono gains by a second',
        ratio(rows, 'perSecond', label('bare Hono', 2), label('bare Hono', 1)),
      ),
    ],
  }
}

function label(name: string, count: number): string {
  return `${name}, ${count} ${count === 1 ? 'worker' : 'workers'}`
}
