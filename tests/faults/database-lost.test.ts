import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { ackLog, lostFrom, nothingLost } from '../support/ack-log.ts'
import { mixedCalls, recovery } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { tellFigures } from '../support/figures.ts'
import { assertUnavailableAtMost, startLoad, tally } from '../support/load.ts'
import { isNightly } from '../support/nightly.ts'
import { statusOf } from '../support/service-process.ts'

const server = await postgresForFile({ settings: ['max_connections=40'] })
// One admin writes most of it, whose changes come one after the other.
const perSecond = 30
const longMs = isNightly ? 1_800_000 : 120_000
const answeredWithinMs = 5_000 + 1_000
// A second is what the service promises.
const backWithinMs = isNightly ? 2_000 : 5_000

/** A service under load that reads, and writes what it acknowledges. */
async function loaded() {
  const database = await emptyDatabase(server)
  const service = await startOn(database)
  const { admin, ada, calls } = await mixedCalls(service)
  const { log, calls: writes } = ackLog({ url: service.url, baseUrl: service.baseUrl, token: admin.token })
  const load = startLoad(perSecond, { ...calls, ...writes })
  await pause(1_000)
  return { database, service, ada, load, log }
}

test('R-02 while the database is stopped all that needs it is answered 503, and nothing else', async () => {
  const { service, ada, load, log } = await loaded()

  await server.end('SIGQUIT')
  await pause(isNightly ? 30_000 : 4_000)
  await server.start()
  const backAfterMs = await recovery(service, ada)
  await pause(500)
  const answers = await load.stop()

  tellFigures('R-02', { backAfterMs, answers: tally(answers) })
  assertUnavailableAtMost(answers, answeredWithinMs)
  expect(backAfterMs).toBeLessThan(backWithinMs)
  expect(answers.filter(({ status }) => status === 503).length).toBeGreaterThan(20)
  expect(await lostFrom(service.db, log)).toEqual(nothingLost)
  expect(log.created.length).toBeGreaterThan(5)
  expect(log.expelled).not.toEqual([])
})

test.each([
  ['R-03 a database that is restarted', 'SIGINT', isNightly ? 20 : 2],
  ['R-18 a database that crashes', 'SIGKILL', isNightly ? 20 : 2],
] as const)(
  '%s loses nothing that was acknowledged, and needs no restart of ours',
  async (_what, signal, times) => {
    const { service, ada, load, log } = await loaded()

    for (let time = 0; time < times; time++) {
      await server.end(signal)
      await server.start()
      await recovery(service, ada)
      const acknowledged = log.created.length
      await expect.poll(() => log.created.length, { timeout: 10_000 }).toBeGreaterThan(acknowledged + 5)
    }
    const answers = await load.stop()

    assertUnavailableAtMost(answers, answeredWithinMs)
    expect(await lostFrom(service.db, log)).toEqual(nothingLost)
    expect(log.expelled).not.toEqual([])
  },
  longMs,
)

test(
  'R-04 each backend that is killed costs one request at most',
  async () => {
    const { database, load, log, service } = await loaded()
    const client = new pg.Client(server.url)
    await client.connect()
    onTestFinished(() => client.end())
    let killed = 0
    for (let second = 0; second < (isNightly ? 300 : 4); second++) {
      const { rowCount } = await client.query(
        `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
        where datname = $1 order by random() limit 1) as one`,
        [new URL(database).pathname.slice(1)],
      )
      killed += rowCount ?? 0
      await pause(1_000)
    }
    const answers = await load.stop()

    const failed = answers.filter(({ status }) => status >= 300 || status === 0)
    assertUnavailableAtMost(answers, answeredWithinMs)
    // Those who read the same for each other fail together.
    expect(failed.length).toBeLessThanOrEqual(2 * killed)
    expect(await lostFrom(service.db, log)).toEqual(nothingLost)
    expect(log.expelled).not.toEqual([])
  },
  longMs,
)

test('R-08 a database without a free connection is waited for at a start, and answered with 503 later', async () => {
  const full = await emptyDatabase(server)
  const holders: pg.Client[] = []
  const fill = async () => {
    for (;;) {
      const holder = new pg.Client({ connectionString: full, application_name: 'holder' })
      holder.on('error', () => {})
      try {
        await holder.connect()
      } catch {
        return
      }
      holders.push(holder)
    }
  }
  const release = () => Promise.all(holders.splice(0).map((holder) => holder.end()))
  onTestFinished(async () => void (await release()))

  await fill()
  let isReady = false
  const starting = startOn(full).then((service) => {
    isReady = true
    return service
  })
  await pause(2_500)
  expect(isReady).toBe(false)
  await release()
  const service = await starting
  const { ada, calls } = await mixedCalls(service)

  const client = new pg.Client(server.url)
  await client.connect()
  onTestFinished(() => client.end())
  // What the service holds is lost, and taken by others before it can open it again.
  const filling = fill()
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name <> $2',
    [new URL(full).pathname.slice(1), 'holder'],
  )
  await filling
  await fill()
  const load = startLoad(20, calls)
  await pause(2_000)
  const answers = await load.stop()
  assertUnavailableAtMost(answers, answeredWithinMs)
  expect(answers.filter(({ status }) => status === 503).length).toBeGreaterThan(5)
  expect(await statusOf(`${service.url}/health`)).toBe(200)
  await release()
  await recovery(service, ada)
  expect((await calls.create()).status).toBe(201)
})
