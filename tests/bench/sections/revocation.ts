import { setTimeout as pause } from 'node:timers/promises'
import { type Arranged, arrange } from '../arrange.ts'
import { startBell } from '../bell.ts'
import { append, type Bench, withClient } from '../bench.ts'
import { latencyOf } from '../load/job.ts'
import { addPeople, type Person } from '../people.ts'
import { type Check, figure, type Row, type Section, worst } from '../report.ts'
import { bearer, mePath, type Service, startService } from '../service.ts'

const kinds = ['ban', 'role change', 'revocation', 'sign-out'] as const
type Kind = (typeof kinds)[number]

const instances = 3
const loadPerSecond = 100
const giveUpMs = 10_000

interface Event {
  kind: Kind
  person: Person
  token: string
}

/** How long after a ban, on another instance, a token is still good. */
export async function revocation(bench: Bench): Promise<Section> {
  const events = bench.options.quick ? 100 : 1_000
  const perRound = Math.max(kinds.length, Math.ceil(events / bench.options.rounds))
  const arranged = await arrange(bench, { env: { RATE_LIMIT: '0' } })
  const services = [arranged.service]
  while (services.length < instances) {
    const env = { BETTER_AUTH_URL: arranged.service.baseUrl, RATE_LIMIT: '0' }
    services.push(await startService(bench, arranged.database, { env }))
  }
  const bell = await startBell(arranged.database)
  bench.defer(bell.close)
  const rows: Row[] = []
  const all = new Map<string, number[]>()
  let accepted = 0
  for (let round = 0; round < bench.options.rounds; round++) {
    const samples = new Map<string, number[]>()
    const note = (name: string, ms: number) => samples.set(name, [...(samples.get(name) ?? []), ms])
    const todo = await arrangeEvents(arranged, perRound)
    const load = startLoad(bench, services, arranged.admin.token)
    for (const [index, event] of todo.entries()) {
      const result = await observe(event, services, index, arranged)
      for (const ms of result.elsewhereMs) note(event.kind, ms)
      accepted += result.acceptedHere
      note('a bare NOTIFY', await bell.ring())
    }
    await load.stop()
    for (const [name, ms] of samples) {
      const { p50Ms, p99Ms, maxMs } = latencyOf(ms)
      append(rows, name, { p50Ms, p99Ms, maxMs })
      all.set(name, [...(all.get(name) ?? []), ...ms])
    }
  }
  const delays = kinds.map((kind): Check => {
    const values = [latencyOf(all.get(kind) ?? []).p99Ms]
    return { name: `${kind}, p99 on other instances`, unit: 'ms', values, target: { atMost: 100 } }
  })
  return {
    title: `From the answer to a change until the refusal, ${instances} instances`,
    notes: [
      `${perRound * bench.options.rounds} events, each on one instance, while the others are asked without a break; until their first refusal is there. ${loadPerSecond} other requests a second to each instance.`,
      'The row of a round is the p50, p99 and maximum of its events; the checks are of all events together: single values.',
    ],
    rows,
    checks: [
      ...delays,
      figure(
        `a ban, role change, revocation or sign-out, until the refusal on ${instances} instances, p99`,
        worst('any of these, p99 on other instances', delays),
      ),
      figure('– accepted by the same instance afterwards', {
        name: 'accepted by the same instance afterwards',
        unit: 'requests',
        values: [accepted],
        target: { atMost: 0 },
      }),
    ],
  }
}

async function arrangeEvents({ database, signer }: Arranged, count: number): Promise<Event[]> {
  const perKind = Math.ceil(count / kinds.length)
  const events: Event[] = []
  for (const kind of kinds) {
    const role = kind === 'role change' ? 'moderator' : 'user'
    const people = await withClient(database, (client) => addPeople(client, perKind, role))
    for (const person of people) events.push({ kind, person, token: await signer.sign(person) })
  }
  // By turns.
  return events
    .map((_, i) => events[(i % kinds.length) * perKind + Math.floor(i / kinds.length)])
    .filter((e) => e !== undefined)
}

/** One event on one instance, and how long the others let its token pass. */
async function observe({ kind, person, token }: Event, services: Service[], index: number, { admin }: Arranged) {
  const path = kind === 'role change' ? '/api/v1/users?limit=1' : mePath
  const refusal = kind === 'role change' ? 403 : 401
  const ask = async ({ url }: Service) => {
    const response = await fetch(`${url}${path}`, { headers: bearer(token) })
    await response.arrayBuffer()
    if (response.status !== 200 && response.status !== refusal) throw new Error(`${kind}: ${response.status}`)
    return response.status === refusal
  }
  // Every instance knows the user by now.
  for (const service of services) if (await ask(service)) throw new Error(`${kind}: refused before it was changed`)
  const here = services[index % services.length] ?? never()
  const elsewhere = services
    .filter((service) => service !== here)
    .map(async (service) => {
      const givesUpAt = performance.now() + giveUpMs
      while (performance.now() < givesUpAt) {
        if (await ask(service)) return performance.now()
      }
      return performance.now()
    })
  const refusals = Promise.all(elsewhere)
  refusals.catch(() => {})
  await change(kind, person, here, admin.token)
  const changedAt = performance.now()
  const acceptedHere = (await ask(here)) ? 0 : 1
  const elsewhereMs = (await refusals).map((at) => Math.max(0, at - changedAt))
  return { acceptedHere, elsewhereMs }
}

async function change(kind: Kind, { id, sessionId, cookie }: Person, { url, baseUrl }: Service, token: string) {
  const json = { 'content-type': 'application/json' }
  const user = `${url}/api/v1/users/${id}`
  const requests: Record<Kind, () => Promise<Response>> = {
    ban: () => fetch(`${user}/ban`, { method: 'POST', headers: { ...bearer(token), ...json }, body: '{}' }),
    'role change': () =>
      fetch(`${user}/role`, { method: 'PUT', headers: { ...bearer(token), ...json }, body: '{"role":"user"}' }),
    revocation: () => fetch(`${user}/sessions/${sessionId}`, { method: 'DELETE', headers: bearer(token) }),
    'sign-out': () =>
      fetch(`${url}/api/auth/sign-out`, { method: 'POST', headers: { cookie, origin: baseUrl, ...json }, body: '{}' }),
  }
  const response = await requests[kind]()
  const text = await response.text()
  if (!response.ok) throw new Error(`${kind}: ${response.status} ${text}`)
}

/** Requests of somebody else to every instance, until it is stopped. */
function startLoad({ load }: Bench, services: Service[], token: string): { stop: () => Promise<void> } {
  let isStopped = false
  const shot = { path: mePath, headers: bearer(token) }
  const running = services.map(async ({ url }) => {
    while (!isStopped) {
      await load.pace({ url, shot, connections: 4, perSecond: loadPerSecond, seconds: 1 })
      await pause(0)
    }
  })
  const all = Promise.all(running)
  all.catch(() => {})
  return {
    async stop() {
      isStopped = true
      await all
    },
  }
}

function never(): never {
  throw new Error('there is no instance')
}
