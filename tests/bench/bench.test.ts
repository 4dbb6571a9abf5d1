import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Bench, compare, withBench, withClient } from './bench.ts'
import type { Storm } from './load/job.ts'
import { storm } from './load/requests.ts'

const server = process.env['TEST_DATABASE_URL']

/** A storm of four clients on a server that answers with these statuses in turn; 0 is to hang up. */
async function stormOn(...statuses: number[]): Promise<Storm> {
  let asked = 0
  const answering = createServer((_, outgoing) => {
    const status = statuses[asked++ % statuses.length] ?? 0
    if (status === 0) outgoing.destroy()
    else outgoing.writeHead(status).end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void answering.close())
  await once(answering, 'listening')
  const url = `http://127.0.0.1:${(answering.address() as AddressInfo).port}`
  const bodies = ['a', 'b', 'c', 'd']
  return { url, path: '/sign-in', headers: {}, bodies, seconds: 0.2, isPatient: false, expect: [401, 503] }
}

test('a storm tells how often each status that is expected was the answer', async () => {
  const answers = await storm(await stormOn(401, 503))

  expect(Object.keys(answers)).toEqual(['401', '503'])
  for (const { count } of Object.values(answers)) expect(count).toBeGreaterThan(0)
})

test.each([
  [500, '500'],
  [429, '429'],
  [0, 'nothing'],
])('a storm fails when %s is among the answers', async (status, name) => {
  await expect(storm(await stormOn(401, 503, status))).rejects.toThrow(new RegExp(`answered \\d+ times ${name}$`))
})

test('candidates are asked in the other order every other round', async () => {
  const order: string[] = []
  const bench = {
    options: { rounds: 2, seconds: 1, connections: 1 },
    load: {
      async flatOut({ url }: { url: string }) {
        order.push(url)
        return { requests: 1, seconds: 1, p50Ms: 1, p99Ms: 1, cpuSeconds: 0 }
      },
    },
    untilQuiet: async () => void order.push('quiet'),
  } as unknown as Bench
  const candidate = (url: string) => ({
    server: { url, pid: process.pid, readyMs: 0, stop: async () => {} },
    shots: [],
  })

  const rows = await compare(
    bench,
    { ours: candidate('ours'), theirs: candidate('theirs') },
    {
      alone: async () => ({ perSecond: order.push('alone') }),
    },
  )

  // Unmeasured, then two rounds.
  expect(order.filter((name) => name !== 'quiet').join()).toBe(
    'ours,theirs,' + 'alone,theirs,ours,' + 'ours,theirs,alone',
  )
  // After each load.
  expect(order.slice(0, 4)).toEqual(['ours', 'quiet', 'theirs', 'quiet'])
  expect(rows.map(({ name, metrics }) => [name, metrics['perSecond']?.length])).toEqual([
    ['ours', 2],
    ['theirs', 2],
    ['alone', 2],
  ])
})

test.skipIf(!server)(
  'the next one is asked when what others have left behind is over (needs TEST_DATABASE_URL)',
  async () => {
    const active = "select from pg_stat_activity where datname = current_database() and state = 'active'"
    await withBench({ postgres: server ?? '' } as Parameters<typeof withBench>[0], async (bench) => {
      const database = await bench.createDatabase()
      await withClient(database, async (client) => {
        const left = withClient(database, (other) => other.query('select pg_sleep(1)'))
        await expect.poll(async () => (await client.query(active)).rowCount).toBe(2)

        await bench.untilQuiet()

        expect((await client.query(active)).rowCount).toBe(1)
        await left
      })
    })
  },
)
