import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { isSchemaCurrent, readMigrations } from '../../src/db/migrate.ts'
import { ackLog, lostFrom, nothingLost } from '../support/ack-log.ts'
import { me, mixedCalls } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { secret } from '../support/harness.ts'
import { assertUnavailableAtMost, startLoad } from '../support/load.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService, type ServiceProcess, startProcess, statusOf } from '../support/service-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { freePort, schemaOf } from '../support/throwaway-postgres.ts'

const root = buildService()
const server = await postgresForFile()

const settings = { BETTER_AUTH_URL: 'http://localhost:3996', BETTER_AUTH_SECRET: secret, RATE_LIMIT: '0' }

const migrate = (database: Record<string, string>) => startProcess(root, { ...settings, ...database }, ['migrate'])

async function migrated(database: Record<string, string>): Promise<void> {
  const { exited, output } = migrate(database)
  expect([await exited, output()]).toEqual([{ code: 0, signal: null }, expect.any(String)])
}

/** So many of the numbers from 1 to `most`, spread evenly; nightly all. */
function some(count: number, most: number): number[] {
  const all = Array.from({ length: most }, (_, i) => i + 1)
  return isNightly ? all : all.filter((n) => Math.floor((n * count) / most) > Math.floor(((n - 1) * count) / most))
}

test(
  'R-11 a migration that is killed at any statement is finished by the next start',
  async () => {
    const clean = await emptyDatabase(server)
    const proxy = await startProxy(clean)
    onTestFinished(proxy.close)
    let sent = 0
    proxy.onSent(() => (sent += 1))
    await migrated({ DATABASE_URL: proxy.url(clean) })
    const [statements, schema] = [sent, schemaOf(clean)]
    expect(statements).toBeGreaterThan(5 * readMigrations().length)

    for (const point of some(4, statements - 1)) {
      const database = await emptyDatabase(server)
      const killed = migrate({ DATABASE_URL: proxy.url(database) })
      sent = 0
      proxy.onSent(() => {
        if (++sent === point) killed.kill('SIGKILL')
      })
      expect([point, await killed.exited]).toEqual([point, { code: null, signal: 'SIGKILL' }])
      await migrated({ DATABASE_URL: database })
      expect(schemaOf(database)).toBe(schema)
    }
  },
  isNightly ? 1_800_000 : 120_000,
)

test('R-16 SIGTERM in the midst of a migration ends with success, and the next start finishes it', async () => {
  const [clean, database] = [await emptyDatabase(server), await emptyDatabase(server)]
  await migrated({ DATABASE_URL: clean })
  const proxy = await startProxy(database)
  onTestFinished(proxy.close)
  const env = { ...settings, HOST: '127.0.0.1', PORT: String(await freePort()) }
  const told = startProcess(root, { ...env, DATABASE_URL: proxy.url(database) })
  let sent = 0
  proxy.onSent(() => {
    if (++sent !== 30) return
    proxy.freeze()
    told.kill('SIGTERM')
  })

  expect(await told.exited).toEqual({ code: 0, signal: null })
  await proxy.close()
  expect(schemaOf(database)).not.toBe(schemaOf(clean))
  await migrated({ DATABASE_URL: database })
  expect(schemaOf(database)).toBe(schemaOf(clean))
})

/** Kills a first start on an empty folder, and starts it again. @returns whether the schema is current then */
async function killFirstStart(killAt: (directory: string) => Promise<unknown>): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-killed-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const killed = migrate({ DATA_DIR: directory })
  await killAt(directory)
  killed.kill('SIGKILL')
  await killed.exited
  await migrated({ DATA_DIR: directory })
  const { db, close } = await openDatabase({ kind: 'embedded', directory, onError: () => {} })
  const isWhole = await isSchemaCurrent(db)
  await close()
  return isWhole
}

test.each(['postgres.new', 'postgres'])(
  'R-11 a first start of the embedded database that is killed once there is %s is finished by the next one',
  async (name) => {
    const isWhole = await killFirstStart(async (directory) => {
      await expect.poll(() => existsSync(join(directory, name)), { timeout: 60_000, interval: 5 }).toBe(true)
    })
    expect(isWhole).toBe(true)
  },
)

test.runIf(isNightly)(
  'R-11 a first start of the embedded database may be killed at any time',
  async () => {
    const startedAt = performance.now()
    await killFirstStart(() => pause(1_000))
    const tookMs = performance.now() - startedAt
    for (let time = 0; time < 40; time++) {
      expect([time, await killFirstStart(() => pause((tookMs * time) / 40))]).toEqual([time, true])
    }
  },
  1_800_000,
)

/** The service with one more migration. */
function newerService(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-newer-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['node_modules', 'package.json']) symlinkSync(resolve(name), join(folder, name))
  for (const name of ['dist', 'migrations'])
    cpSync(join(root, name), join(folder, name), { recursive: true, dereference: true })
  const number = String(readMigrations().length + 1).padStart(4, '0')
  writeFileSync(join(folder, 'migrations', `${number}_next.sql`), text)
  return folder
}

test('R-13 a migration that waits for a long transaction keeps no request waiting, and is done after it', async () => {
  const database = await emptyDatabase(server)
  const service = await startOn(database)
  const { ada, calls } = await mixedCalls(service)
  const long = new pg.Client(database)
  await long.connect()
  onTestFinished(() => long.end())
  await long.query('begin; select count(*) from session')

  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { ...settings, DATABASE_URL: database, BETTER_AUTH_URL: url, HOST: '127.0.0.1', PORT: String(port) }
  const newer = startProcess(newerService('alter table session add column next text'), env)
  const waits = () => newer.log().filter(({ msg }) => String(msg).includes('trying again')).length
  await expect.poll(waits, { timeout: 20_000 }).toBeGreaterThan(0)
  const load = startLoad(30, {
    session: calls.session,
    cookie: () => me(service, { token: ada.token }),
    list: calls.list,
  })
  const before = waits()
  await expect.poll(waits, { timeout: 20_000 }).toBeGreaterThan(before + 2)
  const answers = await load.stop()
  expect(await statusOf(`${url}/health/ready`)).toBe(503)
  await long.query('commit')

  await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 30_000 }).toBe(200)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  assertUnavailableAtMost(answers, 3_000)
  expect((await calls.rename()).status).toBe(200)
})

test(
  'R-17 an instance that is killed under writes loses nothing that it acknowledged, and leaves nothing half done',
  async () => {
    const database = await emptyDatabase(server)
    // In this process, for what is arranged and looked at.
    const looker = await startOn(database, { BETTER_AUTH_URL: settings.BETTER_AUTH_URL })
    const { token } = await looker.createSignedIn('admin')
    const port = await freePort()
    const writer = ackLog({ url: `http://127.0.0.1:${port}`, baseUrl: looker.baseUrl, token })
    const start = () =>
      startProcess(root, { ...settings, DATABASE_URL: database, HOST: '127.0.0.1', PORT: String(port) })
    let service: ServiceProcess | undefined

    for (let time = 0; time < (isNightly ? 100 : 3); time++) {
      service = start()
      await service.ready()
      const load = startLoad(15, writer.calls)
      const acknowledged = writer.log.banned.length
      await expect
        .poll(() => writer.log.expelled.length > 0 && writer.log.banned.length, { timeout: 30_000, interval: 5 })
        .toBeGreaterThan(acknowledged + 1)
      service.kill('SIGKILL')
      await service.exited
      await load.stop()
    }

    expect(await lostFrom(looker.db, writer.log)).toEqual(nothingLost)
  },
  isNightly ? 1_800_000 : 120_000,
)
