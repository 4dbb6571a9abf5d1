import { arrange } from '../arrange.ts'
import { append, type Bench, withClient } from '../bench.ts'
import type { Shot } from '../load/job.ts'
import { addPeople } from '../people.ts'
import { memory } from '../processes.ts'
import { figure, type Row, type Section } from '../report.ts'
import { bearer, mePath } from '../service.ts'

const parts = 10
const mostSeconds = 150
const stepSeconds = 2

/** What is resident after very many requests: all that is remembered must have a bound. */
export async function resident(bench: Bench): Promise<Section> {
  const goal = bench.options.quick ? 10_000 : 1_000_000
  const users = bench.options.quick ? 1_000 : 10_000
  const { database, service, signer } = await arrange(bench)
  const people = await withClient(database, (client) => addPeople(client, users))
  const shots = await Promise.all(
    people.map(async (person): Promise<Shot> => ({ path: mePath, headers: bearer(await signer.sign(person)) })),
  )
  const rows: Row[] = []
  const sizes: number[] = []
  const noted = new Set([0])
  const startedAt = performance.now()
  append(rows, 'at the start', { requests: 0, ...memory(service.pid) })
  let requests = 0
  while (requests < goal && performance.now() - startedAt < mostSeconds * 1_000) {
    const { connections } = bench.options
    const job = { url: service.url, method: 'GET', shots, body: undefined, connections, seconds: stepSeconds } as const
    requests += (await bench.load.flatOut({ ...job, expect: 200 })).requests
    const part = Math.floor((requests * parts) / goal)
    const now = memory(service.pid)
    sizes.push(now.residentMb)
    if (noted.has(part)) continue
    noted.add(part)
    append(rows, `after ${Math.min(100, part * parts)} %`, { requests, ...now })
  }
  const [halfway, end] = [sizes[Math.floor(sizes.length / 2)], sizes.at(-1)]
  return {
    title: `Memory after ${goal.toLocaleString('en')} requests`,
    notes: [
      'One process, asked once: single values.',
      `GET ${mePath} with the tokens of ${users.toLocaleString('en')} users in turn, ${requests.toLocaleString('en')} requests in all${requests < goal ? `: what came to an end in ${mostSeconds} s` : ''}.`,
    ],
    rows,
    checks: [
      figure(`memory after ${goal.toLocaleString('en')} requests of ${users.toLocaleString('en')} users`, {
        name: 'resident at the end',
        unit: 'MB',
        values: [end ?? Number.NaN],
        target: { atMost: 200 },
      }),
      figure('– to that after half of them', {
        name: 'resident at the end / halfway',
        unit: '×',
        values: [(end ?? Number.NaN) / (halfway ?? Number.NaN)],
        target: { atMost: 1.1 },
      }),
      { name: 'asked', unit: 'requests', values: [requests], target: { atLeast: goal } },
    ],
  }
}
