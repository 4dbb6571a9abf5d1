import { createHash, randomUUID } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { openDatabase } from '../../src/db/database.ts'
import { migrate } from '../../src/db/migrate.ts'
import { onPostgres } from '../support/database-template.ts'
import { secret } from '../support/harness.ts'
import { buildService, type ServiceProcess, startProcess } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'latchkey-embedded-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

// A run on PostgreSQL would repeat the same.
describe.skipIf(onPostgres)('a service on the embedded database (not with PostgreSQL)', () => {
  const root = buildService()
  let template = ''

  beforeAll(async () => {
    template = mkdtempSync(join(tmpdir(), 'latchkey-embedded-template-'))
    const { db, close } = await openDatabase({ kind: 'embedded', directory: template, onError: raise })
    await migrate(db, [...authConfig.roles.keys()])
    await close()
    return () => rmSync(template, { recursive: true, force: true })
  })

  function dataDir(): string {
    const directory = folder()
    cpSync(template, directory, { recursive: true })
    return directory
  }

  async function start(directory: string): Promise<ServiceProcess & { url: string }> {
    const port = String(await freePort())
    const service = startProcess(root, { DATA_DIR: directory, PORT: port, BETTER_AUTH_SECRET: secret })
    return { ...service, url: `http://127.0.0.1:${port}` }
  }

  function signUp(url: string, path: string, email: string): Promise<Response> {
    return fetch(`${url}/api/auth/${path}/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url.replace('127.0.0.1', 'localhost') },
      body: JSON.stringify({ email, password: 'correct horse battery', name: 'Ada' }),
    })
  }

  test('R-28 ends a second process on its directory, naming the first, and goes on', async () => {
    const directory = dataDir()
    const first = await start(directory)
    await first.ready()

    const second = await start(directory)
    const { code } = await second.exited

    expect(code).toBe(1)
    expect(second.output()).toContain(`${directory} is in use by process ${first.pid} `)
    expect((await fetch(`${first.url}/health/db`)).status).toBe(200)
  })

  test('R-29 says at each start what the loss of power may take', async () => {
    const service = await start(dataDir())
    await service.ready()

    expect(service.output()).toContain('the loss of power may take the last writes')
  })

  test.each([0o755, 0o777])('keeps its files to itself in a folder of mode %o', async (mode) => {
    const directory = dataDir()
    chmodSync(directory, mode)
    chmodSync(join(directory, 'postgres'), mode)
    const service = await start(directory)
    await service.ready()

    expect(statSync(join(directory, 'postgres')).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'admin.sock')).mode & 0o777).toBe(0o600)
  })

  test('starts with the secret that `migrate` made before the database', async () => {
    const env = { DATA_DIR: join(folder(), 'data'), PORT: String(await freePort()) }
    expect((await startProcess(root, env, ['migrate']).exited).code).toBe(0)
    const made = readFileSync(join(env.DATA_DIR, 'secret'), 'utf8')

    await startProcess(root, env).ready()

    expect(readFileSync(join(env.DATA_DIR, 'secret'), 'utf8')).toBe(made)
  })

  test.each([['serve'], ['migrate'], ['admin', 'list']])(
    'R-25 does not begin again without the secret of its database, asked to %s',
    async (...args) => {
      const directory = dataDir()
      const before = contents(directory)

      const service = startProcess(root, { DATA_DIR: directory, PORT: String(await freePort()) }, args)
      const { code } = await service.exited

      expect(code).toBe(1)
      expect(service.output()).toMatch(/^ {2}DATA_DIR: the file "secret" in it is missing, though there is a database/m)
      expect(contents(directory)).toEqual(before)
    },
  )

  test('keeps its data over SIGTERM and over SIGKILL', async () => {
    const directory = dataDir()
    const email = `${randomUUID()}@example.com`
    const first = await start(directory)
    await first.ready()
    expect((await signUp(first.url, 'sign-up', email)).status).toBe(200)
    first.kill('SIGTERM')
    await first.exited

    const second = await start(directory)
    await second.ready()
    expect((await signUp(second.url, 'sign-in', email)).status).toBe(200)
    expect((await signUp(second.url, 'sign-up', `2${email}`)).status).toBe(200)
    second.kill('SIGKILL')
    await second.exited

    const third = await start(directory)
    await third.ready()
    expect((await signUp(third.url, 'sign-in', email)).status).toBe(200)
    expect((await signUp(third.url, 'sign-in', `2${email}`)).status).toBe(200)
  })

  test.each([0, 700, 2_000])('R-19 that was killed %i ms into its first start starts afterwards', async (ms) => {
    const directory = join(folder(), 'data')
    const first = await start(directory)
    // Counted from when it makes the directory: before that there is nothing to spoil.
    await expect.poll(() => existsSync(directory), { timeout: 10_000, interval: 5 }).toBe(true)
    await new Promise((resolve) => {
      setTimeout(resolve, ms)
    })
    first.kill('SIGKILL')
    await first.exited

    const second = await start(directory)
    await second.ready()
    expect((await signUp(second.url, 'sign-up', 'ada@example.com')).status).toBe(200)
  })

  const control = 'postgres/global/pg_control'
  test.each<[string, string, (directory: string) => void]>([
    ['has no PG_VERSION', 'is not a database', (d) => rmSync(join(d, 'postgres/PG_VERSION'))],
    [
      'is empty',
      'is empty',
      (d) => {
        rmSync(join(d, 'postgres'), { recursive: true })
        mkdirSync(join(d, 'postgres'))
      },
    ],
    ['is of another version', 'is of PostgreSQL 14', (d) => writeFileSync(join(d, 'postgres/PG_VERSION'), '14\n')],
    [
      'has flipped bytes in pg_control',
      'is corrupt',
      (d) => {
        const bytes = readFileSync(join(d, control))
        for (let i = 0; i < 64; i++) bytes[i] = 255 - (bytes[i] ?? 0)
        writeFileSync(join(d, control), bytes)
      },
    ],
    ['has a truncated pg_control', 'is corrupt', (d) => truncateSync(join(d, control), 10)],
    ['has no pg_control', 'is corrupt', (d) => rmSync(join(d, control))],
    ['has no log of writes', 'is corrupt', (d) => rmSync(join(d, 'postgres/pg_wal'), { recursive: true })],
  ])('R-27 refuses a database that %s and leaves it as it is', async (_fault, message, spoil) => {
    const directory = dataDir()
    spoil(directory)
    const before = contents(join(directory, 'postgres'))

    const service = await start(directory)
    const { code } = await service.exited

    expect(code).toBe(1)
    expect(service.output()).toContain(`${join(directory, 'postgres')} `)
    expect(service.output()).toContain(message)
    expect(service.output()).not.toMatch(/^ +at /m)
    expect(contents(join(directory, 'postgres'))).toEqual(before)
    expect(existsSync(join(directory, 'lock'))).toBe(false)
  })
})

function raise(error: Error): void {
  throw error
}

/** Every file by the hash of its bytes, but for PostgreSQL's own note of who opened it last. */
function contents(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  return new Map(
    paths
      .filter((path) => !path.endsWith('/postmaster.pid'))
      .map((path) => [path, createHash('sha1').update(readFileSync(path)).digest('hex')]),
  )
}
