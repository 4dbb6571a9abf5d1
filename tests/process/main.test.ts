import { randomUUID } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { type DatabaseConfig, openDatabase } from '../../src/db/database.ts'
import { readMigrations } from '../../src/db/migrate.ts'
import { badRounds, faultsOf } from '../support/config-faults.ts'
import { databaseUrl, onServer } from '../support/database-template.ts'
import { createTestDatabase, directUrl, secret } from '../support/harness.ts'
import { buildService, startProcess, startProgram } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()

/** The settings of a service on a migrated database, removed after the test. */
async function settings(): Promise<Record<string, string>> {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const port = String(await freePort())
  return { PORT: port, BETTER_AUTH_URL: `http://localhost:${port}`, BETTER_AUTH_SECRET: secret, ...env }
}

/** A folder that is removed after the test. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'latchkey-main-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The variables of which a report tells a fault. */
function faultyIn(report: string): string[] {
  return [...new Set([...report.matchAll(/^ {2}(\w+): /gm)].map(([, name = '']) => name))].toSorted()
}

/** The settings of a database that nothing was done to, removed after the test. */
async function emptyDatabase(): Promise<Record<string, string>> {
  const server = process.env['TEST_DATABASE_URL']
  if (!server) return { DATA_DIR: join(folder(), 'data') }
  const name = `latchkey_test_${randomUUID().replaceAll('-', '')}`
  await onServer(server, `create database ${name}`)
  onTestFinished(() => onServer(server, `drop database ${name} with (force)`))
  // With PostgreSQL both are demanded.
  return {
    DATABASE_URL: databaseUrl(server, name),
    BETTER_AUTH_SECRET: secret,
    BETTER_AUTH_URL: 'http://localhost:3000',
  }
}

function connection(env: Record<string, string>): DatabaseConfig {
  const [url, directory, onError] = [directUrl(env), env['DATA_DIR'] ?? '', () => {}]
  return url ? { kind: 'postgres', url, limits: 'migration', onError } : { kind: 'embedded', directory, onError }
}

const several = {
  PORT: '70000',
  BETTER_AUTH_URL: 'http://auth.hunter2.example',
  BETTER_AUTH_SECRET: 'hunter2',
  BETTER_AUTH_SECRT: 'hunter2',
  DATABASE_URL: 'mysql://root:hunter2@db/latchkey',
  GOOGLE_CLIENT_ID: 'hunter2',
  TRUSTED_ORIGIN: 'https://hunter2.example',
  SMTP_URL: 'https://hunter2',
  JWT_ALGORITHM: 'HS256-hunter2',
}

const environments = ['', 'production', 'test', 'development']

test.each<[string, string, Record<string, string>]>([
  ['several faults of each kind', '', several],
  ...badRounds().map((env, i): [string, string, Record<string, string>] => [
    `each ${i + 1}. fault`,
    environments[(i + 1) % 4] ?? '',
    env,
  ]),
])('R-40, R-41, R-42 %s, with NODE_ENV=%s: the process ends before it does anything', async (_name, nodeEnv, env) => {
  const cwd = folder()
  const service = startProgram([process.execPath, join(root, 'dist/src/main.js')], { ...env, NODE_ENV: nodeEnv }, cwd)

  expect((await service.exited).code).toBe(1)
  expect(faultyIn(service.output())).toEqual([...new Set(faultsOf(env).map((fault) => fault.split(':')[0]))].toSorted())
  // No log, no folder of data, no stack.
  expect(service.output()).toMatch(/^The configuration is not usable:\n(  \w+: .+\n)+$/)
  expect(readdirSync(cwd)).toEqual([])
  for (const shown of Object.values(env).filter((text) => text.length > 4))
    expect(service.output()).not.toContain(shown)
  expect(service.output()).not.toMatch(/hunter2|canary/)
})

test('an auth.config.ts that cannot be used ends the process, naming the entry', async () => {
  const changed = folder()
  cpSync(root, changed, { recursive: true, verbatimSymlinks: true })
  const path = join(changed, 'dist/auth.config.js')
  writeFileSync(path, readFileSync(path, 'utf8').replace('idleDays: 7', 'idleDays: 99'))

  const service = startProcess(changed, {})

  expect((await service.exited).code).toBe(1)
  expect(service.output()).toBe(
    'The configuration is not usable:\n  auth.config.ts: session.idleDays must be between 2 and 30\n',
  )
})

test('a .env that is a folder ends the process, saying so', async () => {
  const cwd = folder()
  mkdirSync(join(cwd, '.env'))

  const service = startProgram([process.execPath, join(root, 'dist/src/main.js')], {}, cwd)

  expect((await service.exited).code).toBe(1)
  expect(service.output()).toBe('The configuration is not usable:\n  .env: is a folder, not a file\n')
})

test('`migrate` makes the schema, tells what it applied, and ends', async () => {
  const database = await emptyDatabase()
  const names = readMigrations().map(({ name }) => name)

  const first = startProcess(root, database, ['migrate'])
  expect(await first.exited).toEqual({ code: 0, signal: null })
  const second = startProcess(root, database, ['migrate'])
  expect(await second.exited).toEqual({ code: 0, signal: null })

  expect(first.log()).toEqual([
    expect.objectContaining({ level: 30, msg: 'migrated', applied: names }),
    expect.objectContaining({ level: 30, msg: 'the schema is current' }),
  ])
  expect(second.log()).toEqual([expect.objectContaining({ level: 30, msg: 'the schema is current' })])
  const { db, close } = await openDatabase(connection(database))
  const { rows } = await sql`select name from schema_migration order by version`.execute(db)
  const keys = await db.selectFrom('jwks').select('id').execute()
  await close()
  expect(rows).toEqual(names.map((name) => ({ name })))
  // That is for who serves, with the secret.
  expect(keys).toEqual([])
})

test('a command that does not exist ends the process with an error', async () => {
  const service = startProcess(root, { DATA_DIR: folder() }, ['mirgate'])

  expect(await service.exited).toEqual({ code: 2, signal: null })
  expect(service.output()).toBe('There is no command "mirgate": serve, migrate or admin\n')
})

test('a .env file is read, and gives way to the environment', async () => {
  const { BETTER_AUTH_SECRET: _moved, ...env } = await settings()
  const dotenv = `BETTER_AUTH_SECRET='${secret}'\nPORT=1\nLOG_LEVEL=warn\n`

  const service = startProcess(root, env, [], dotenv)

  await expect
    .poll(async () => (await fetch(`${env['BETTER_AUTH_URL']}/health/ready`).catch(() => undefined))?.status, {
      timeout: 20_000,
    })
    .toBe(200)
  expect(service.output()).toBe('')
})

test('R-14 a database of a newer version is refused in one line, and left as it is', async () => {
  const env = await settings()
  const { db, close } = await openDatabase(connection(env))
  await sql`insert into schema_migration (version, name, checksum) values (9999, '9999_later.sql', 'x')`.execute(db)
  await close()

  for (const command of ['serve', 'migrate']) {
    const service = startProcess(root, env, [command])
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output().trim().split('\n').at(-1)).toBe(
      'The database is newer than this version: it has migration 9999_later.sql. Deploy the newer version.',
    )
  }
})

test.each([
  ['is thrown', 'throw new Error("unforeseen")'],
  ['is rejected', 'Promise.reject(new Error("unforeseen"))'],
])('R-35 an error that nobody catches and %s is logged, and ends the process in order', async (_how, statement) => {
  const env = await settings()
  // Thrown by code that the service did not load itself, once it is told to.
  const script = `process.on('SIGUSR2', () => { ${statement} })`
  const preload = `--import=data:text/javascript,${encodeURIComponent(script)}`
  const service = startProcess(root, { ...env, NODE_OPTIONS: preload })
  await service.ready()

  service.kill('SIGUSR2')

  expect(await service.exited).toEqual({ code: 1, signal: null })
  expect(service.log()).toContainEqual(
    expect.objectContaining({
      level: 60,
      msg: 'unexpected error, stopping',
      err: expect.objectContaining({ message: 'unforeseen' }),
    }),
  )
  // With PostgreSQL there is no directory to lock.
  expect(existsSync(join(env['DATA_DIR'] ?? root, 'lock'))).toBe(false)
})
