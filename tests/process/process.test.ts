import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl, secret } from '../support/harness.ts'
import { buildService, type ServiceProcess, startProcess, statusOf } from '../support/service-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A folder that is removed after the test. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-data-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A service on a port of its own and a migrated database, removed after the test. */
async function startOnDatabase(extra: Record<string, string> = {}): Promise<{ service: ServiceProcess; url: string }> {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = {
    PORT: String(port),
    HOST: '127.0.0.1',
    BETTER_AUTH_URL: url,
    BETTER_AUTH_SECRET: secret,
    RATE_LIMIT: '0',
  }
  return { service: startProcess(root, { ...settings, ...env, ...extra }), url }
}

/** A service whose database nobody listens for yet. */
async function startWithoutDatabase(databaseUrl = 'postgres://postgres@127.0.0.1/postgres') {
  const [port, databasePort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const DATABASE_URL = new URL(databaseUrl)
  DATABASE_URL.port = String(databasePort)
  const service = startProcess(root, {
    PORT: String(port),
    HOST: '127.0.0.1',
    BETTER_AUTH_URL: url,
    BETTER_AUTH_SECRET: secret,
    DATABASE_URL: DATABASE_URL.href,
  })
  await expect.poll(() => statusOf(`${url}/health`), { timeout: 10_000 }).toBe(200)
  return { service, url, databasePort }
}

async function occupy(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  // Somebody else may have it: that will do as well.
  await Promise.race([once(server, 'listening'), once(server, 'error')]).catch(() => {})
  onTestFinished(() => void server.close())
}

test('a port that is taken and was chosen ends the process, which says so', async () => {
  const port = await freePort()
  await occupy(port)

  const service = startProcess(root, { PORT: String(port), DATA_DIR: temporaryFolder() })

  expect(await service.exited).toEqual({ code: 1, signal: null })
  expect(service.output()).toBe(
    `The configuration is not usable:\n  PORT: ${port} is already in use by another process\n`,
  )
})

test.each([
  ['HOST', { HOST: '192.0.2.1' }, 'HOST: is not an address of this machine (EADDRNOTAVAIL)'],
  [
    'DATA_DIR',
    { DATA_DIR: fileURLToPath(import.meta.url) },
    'DATA_DIR: cannot be used as a folder (EEXIST). Name another, or set DATABASE_URL',
  ],
])('a %s that cannot be used ends the process, which names it', async (_name, env, fault) => {
  const settings = { PORT: String(await freePort()), DATA_DIR: temporaryFolder(), ...env }

  const service = startProcess(root, settings)

  expect(await service.exited).toEqual({ code: 1, signal: null })
  expect(service.output()).toBe(`The configuration is not usable:\n  ${fault}\n`)
})

test('a port that is taken and was not chosen gives way to the next one', async () => {
  await occupy(3000)
  const { env, remove } = onPostgres
    ? { env: { DATA_DIR: temporaryFolder() }, remove: () => {} }
    : await createTestDatabase()
  onTestFinished(remove)

  const service = startProcess(root, { BETTER_AUTH_SECRET: onPostgres ? '' : secret, ...env })
  const url = await service.ready()

  const port = Number(new URL(url).port)
  expect(port).toBeGreaterThan(3000)
  expect(await statusOf(`http://127.0.0.1:${port}/health/ready`)).toBe(200)
  expect(service.output()).toContain(`port 3000 is taken: using ${port}`)
})

// Several workers need PostgreSQL.
test.each(onPostgres ? ['1', '2'] : ['1'])(
  'R-15 SIGTERM under load to %s worker(s) loses no request, and all ends well within ten seconds',
  async (workers) => {
    const { service, url } = await startOnDatabase({ WEB_CONCURRENCY: workers })
    await service.ready()
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    onTestFinished(() => agent.destroy())
    const statuses: number[] = []
    const failures: string[] = []
    let stopped = false
    const client = async (path: string) => {
      // A refused connection is how a client learns that the port is closed; anything else would be a request lost.
      while (!stopped) {
        const outcome = await send(agent, `${url}${path}`)
        if (typeof outcome === 'number') statuses.push(outcome)
        else if (outcome === 'ECONNREFUSED') stopped = true
        else failures.push(outcome)
      }
    }
    const load = Promise.all(
      Array.from({ length: 16 }, (_, i) => client(i % 2 ? '/health/db' : '/api/v1/openapi.json')),
    )
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBeGreaterThan(100)

    const signalledAt = performance.now()
    service.kill('SIGTERM')
    await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 1_500, interval: 20 }).toBe(503)
    const answered = statuses.length
    const { code } = await service.exited
    await load

    expect(code).toBe(0)
    expect(performance.now() - signalledAt).toBeLessThan(10_000)
    expect(failures).toEqual([])
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(statuses.length).toBeGreaterThan(answered)
  },
)

function send(agent: Agent, url: string): Promise<number | string> {
  return new Promise((resolve) => {
    const outgoing = request(url, { agent }, (incoming) => {
      incoming.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      incoming.on('end', () => resolve(incoming.statusCode ?? 0)).resume()
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)).end()
  })
}

test.each(signals)('R-16 %s ends an idle process with success, sent twice as well', async (signal) => {
  const { service } = await startOnDatabase()
  await service.ready()

  service.kill(signal)
  service.kill(signal)

  expect(await service.exited).toEqual({ code: 0, signal: null })
  expect(service.log().filter(({ msg }) => msg === 'stopping')).toHaveLength(1)
})

test.each(signals)('R-16 %s ends a process that waits for its database', async (signal) => {
  const { service } = await startWithoutDatabase()

  service.kill(signal)

  expect(await service.exited).toEqual({ code: 0, signal: null })
})

test('R-01 `migrate` gives up on a database that does not come up', { timeout: 60_000 }, async () => {
  const url = `postgres://postgres@127.0.0.1:${await freePort()}/postgres`
  const env = { BETTER_AUTH_URL: 'http://localhost:3000', BETTER_AUTH_SECRET: secret, DATABASE_URL: url }
  const migration = startProcess(root, env, ['migrate'])

  expect(await migration.exited).toEqual({ code: 1, signal: null })
  expect(migration.output().trim().split('\n').at(-1)).toMatch(/^connect ECONNREFUSED /)
})

test('R-37 a mail server that hangs holds the end of the process up for a moment only', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const { service, url } = await startOnDatabase({
    SMTP_URL: `smtp://127.0.0.1:${port}`,
    MAIL_FROM: 'auth@example.com',
  })
  await service.ready()
  const response = await fetch(`${url}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ email: 'ada@example.com', name: 'Ada', password: 'correct horse battery' }),
  })
  expect(response.status).toBe(200)

  service.kill('SIGINT')

  expect(await service.exited).toEqual({ code: 0, signal: null })
  expect(service.log().at(-1)).toMatchObject({ msg: expect.stringContaining('mail was not sent'), messages: 1 })
})

test('R-01 while the database is down the process is alive, not ready, and says so to every request', async () => {
  const { url } = await startWithoutDatabase()

  expect(await statusOf(`${url}/health/ready`)).toBe(503)
  expect(await statusOf(`${url}/health/db`)).toBe(503)
  const unavailable = { type: '/problems/dependency-unavailable', status: 503 }
  for (const [path, type, body] of [
    ['/api/v1/auth/me', 'application/problem+json', unavailable],
    ['/api/v1/openapi.json', 'application/problem+json', unavailable],
    ['/', 'application/problem+json', unavailable],
    ['/api/auth/jwks', 'application/json', { code: 'DEPENDENCY_UNAVAILABLE' }],
    ['/api/auth/get-session', 'application/json', { code: 'DEPENDENCY_UNAVAILABLE' }],
  ] as const) {
    const response = await fetch(`${url}${path}`)
    expect([path, response.status, response.headers.get('content-type')]).toEqual([path, 503, type])
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await response.json()).toMatchObject(body)
  }
  const page = await fetch(`${url}/sign-in`, { headers: { accept: 'text/html' } })
  expect([page.status, await page.text()]).toEqual([503, expect.stringMatching(/<h1>.*The service is starting/)])
  expect(await statusOf(`${url}/assets/pages.css`)).toBe(200)
})

test.skipIf(!onPostgres)('R-01 a process whose database comes up later becomes ready (needs PostgreSQL)', async () => {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const database = directUrl(env)
  const { url, databasePort } = await startWithoutDatabase(database)
  expect(await statusOf(`${url}/health/ready`)).toBe(503)

  const proxy = await startProxy(database, databasePort)
  onTestFinished(proxy.close)

  await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 10_000 }).toBe(200)
  expect(await statusOf(`${url}/health/db`)).toBe(200)
  expect(await statusOf(`${url}/api/v1/auth/me`)).toBe(401)
})

test('it runs from a folder with spaces in its name and from another working directory', async () => {
  expect(root).toContain(' ')
  const { service, url } = await startOnDatabase()
  await service.ready()

  const page = await (await fetch(`${url}/api/v1/docs`)).text()
  const script = /<script src="([^"]+)"/.exec(page)?.[1] ?? ''

  expect(await statusOf(`${url}/health/db`)).toBe(200)
  expect(await statusOf(new URL(script, url).href)).toBe(200)
})
