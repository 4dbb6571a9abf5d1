import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { createServer } from 'node:net'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { restartDelayMs } from '../../src/workers.ts'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl, secret } from '../support/harness.ts'
import { childrenOf, isAlive } from '../support/running.ts'
import { buildService, type ServiceProcess, startProcess, statusOf } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()

/** A service of two workers on a database of its own, removed after the test. */
async function startWorkers(extra: Record<string, string> = {}) {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const service = startProcess(root, {
    PORT: String(port),
    HOST: '127.0.0.1',
    BETTER_AUTH_URL: url,
    BETTER_AUTH_SECRET: secret,
    RATE_LIMIT: '0',
    WEB_CONCURRENCY: '2',
    ...env,
    ...extra,
  })
  return { service, url, databaseUrl: directUrl(env) }
}

/** The processes that have become ready to work so far. */
const workersOf = (service: ServiceProcess) =>
  service.log().flatMap(({ msg, pid }) => (msg === 'worker ready' ? [Number(pid)] : []))

/** Both workers of a service that has become ready: what they say comes a moment later than what the primary says. */
async function readyWorkers(service: ServiceProcess): Promise<[number, number]> {
  await service.ready()
  await expect.poll(() => workersOf(service)).toHaveLength(2)
  return workersOf(service) as [number, number]
}

const messages = (service: ServiceProcess, text: string) =>
  service.log().filter(({ msg }) => String(msg).includes(text))

const signInBody = JSON.stringify({ email: 'nobody@example.com', password: 'correct horse battery' })

/** A sign-in that is under way: the service waits for the rest of it. */
async function startSignIn(url: string): Promise<{ finish: () => Promise<number | undefined> }> {
  const headers = { 'content-type': 'application/json', origin: url, 'content-length': signInBody.length }
  const outgoing: ClientRequest = request(`${url}/api/auth/sign-in/email`, { method: 'POST', headers })
  outgoing.write(signInBody.slice(0, 5))
  const answered = once(outgoing, 'response')
  answered.catch(() => {})
  // The head has arrived when what was asked after it is answered; both may be with different workers.
  for (let i = 0; i < 4; i++) expect(await statusOf(`${url}/health`)).toBe(200)
  return {
    async finish() {
      outgoing.end(signInBody.slice(5))
      const [incoming] = await answered
      incoming.resume()
      return incoming.statusCode
    },
  }
}

test('the embedded database is refused to several workers, by the name of the variable', async () => {
  const service = startProcess(root, { WEB_CONCURRENCY: '2' })

  expect(await service.exited).toEqual({ code: 1, signal: null })
  expect(service.output()).toBe(
    'The configuration is not usable:\n' +
      '  WEB_CONCURRENCY: must be 1 without DATABASE_URL: one process only may open the embedded database\n',
  )
})

test('a worker is replaced at once, and ever later when it keeps ending', () => {
  expect([0, 1, 2, 3, 7, 8, 1_000].map(restartDelayMs)).toEqual([0, 250, 500, 1_000, 16_000, 30_000, 30_000])
})

describe.skipIf(!onPostgres)('several workers (need PostgreSQL)', () => {
  test('both answer on one port; what is told once is told once', async () => {
    const { service, url } = await startWorkers()
    expect(await service.ready()).toBe(url)
    const workers = await readyWorkers(service)

    for (let i = 0; i < 20; i++) expect(await statusOf(`${url}/health/ready`)).toBe(200)

    const answering = () => new Set(messages(service, 'request').map(({ pid }) => pid))
    await expect.poll(answering).toEqual(new Set(workers))
    expect(new Set([service.pid, ...answering()])).toHaveLength(3)
    expect(messages(service, 'there is no admin yet')).toMatchObject([{ pid: service.pid }])
    expect(messages(service, 'ready').filter(({ msg }) => msg === 'ready')).toHaveLength(1)
  })

  test('a worker that is killed is replaced, and the others answer meanwhile', async () => {
    const { service, url } = await startWorkers()
    const [victim] = await readyWorkers(service)

    process.kill(victim, 'SIGKILL')
    await expect.poll(() => messages(service, 'a worker ended')).toMatchObject([{ worker: victim, end: 'SIGKILL' }])
    const statuses: (number | undefined)[] = []
    while (workersOf(service).length < 3) statuses.push(await statusOf(`${url}/health/db`))

    expect(new Set(statuses)).toEqual(new Set([200]))
    for (let i = 0; i < 10; i++) expect(await statusOf(`${url}/health/ready`)).toBe(200)
    expect(workersOf(service)).toHaveLength(3)
    expect(service.log().filter(({ msg }) => msg === 'ready')).toHaveLength(1)
  })

  test('a worker that cannot take the place of one is told of and tried again; the others go on', async () => {
    const { service, url, databaseUrl } = await startWorkers()
    const [victim] = await readyWorkers(service)
    const database = new pg.Client(databaseUrl)
    await database.connect()
    onTestFinished(() => database.end())
    await database.query('alter table jwks rename to hidden')

    process.kill(victim, 'SIGKILL')
    await expect
      .poll(() => messages(service, 'a worker could not go on'), { timeout: 20_000 })
      .toContainEqual(expect.objectContaining({ reason: expect.stringContaining('"jwks" does not exist') }))
    expect(await statusOf(`${url}/health/db`)).toBe(200)
    await database.query('alter table hidden rename to jwks')

    await expect.poll(() => workersOf(service), { timeout: 20_000 }).toHaveLength(3)
  })

  test('SIGTERM to all processes at once: what is under way is answered, then all end with success', async () => {
    const { service, url } = await startWorkers()
    const workers = await readyWorkers(service)
    const signIn = await startSignIn(url)

    for (const pid of [service.pid, ...workers]) process.kill(pid, 'SIGTERM')
    await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 1_500, interval: 20 }).toBe(503)
    await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 5_000 }).toBeUndefined()

    expect(await signIn.finish()).toBe(401)
    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(workers.filter(isAlive)).toEqual([])
  })

  test('a worker that is just being started when all are told to end makes the end no failure', async () => {
    const { service } = await startWorkers()
    const [victim, other] = await readyWorkers(service)
    process.kill(victim, 'SIGKILL')
    const loading = () => childrenOf(service.pid).filter((pid) => pid !== victim && pid !== other)
    await expect.poll(loading, { timeout: 5_000, interval: 5 }).toHaveLength(1)

    for (const pid of [service.pid, other, ...loading()]) process.kill(pid, 'SIGTERM')

    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(workersOf(service)).toEqual([victim, other])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends idle workers with success, sent twice as well', async (signal) => {
    const { service } = await startWorkers()
    await service.ready()

    service.kill(signal)
    service.kill(signal)

    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(messages(service, 'stopping').filter(({ pid }) => pid === service.pid)).toHaveLength(1)
  })

  test('a worker that is killed while all end makes the end a failure', async () => {
    const { service } = await startWorkers()
    const [victim] = await readyWorkers(service)

    service.kill('SIGTERM')
    await expect.poll(() => messages(service, 'stopping')).toHaveLength(3)
    process.kill(victim, 'SIGKILL')

    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output()).toMatch(/^A worker ended with SIGKILL$/m)
  })

  test('a worker that hangs keeps neither the others from ending nor the primary', async () => {
    const { service, url } = await startWorkers()
    const [hung, other] = await readyWorkers(service)
    process.kill(hung, 'SIGSTOP')
    onTestFinished(() => void (isAlive(hung) && process.kill(hung, 'SIGCONT')))
    service.kill('SIGTERM')

    await expect.poll(() => isAlive(other), { timeout: 11_000 }).toBe(false)
    expect(isAlive(hung)).toBe(true)
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(isAlive(hung)).toBe(false)
    expect(service.output()).toContain('SIGKILL')
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed')
  })

  test('workers whose primary is killed answer what is under way, and end', async () => {
    const { service, url } = await startWorkers()
    const workers = await readyWorkers(service)
    const signIn = await startSignIn(url)

    service.kill('SIGKILL')
    await expect.poll(() => statusOf(`${url}/health`), { timeout: 5_000 }).toBeUndefined()

    expect(await signIn.finish()).toBe(401)
    await expect.poll(() => workers.filter(isAlive), { timeout: 10_000 }).toEqual([])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends workers that wait for their database', async (signal) => {
    const { service, url } = await startWorkers({
      DATABASE_URL: `postgres://postgres@127.0.0.1:${await freePort()}/postgres`,
    })
    await expect.poll(() => statusOf(`${url}/health`), { timeout: 30_000 }).toBe(200)
    expect(await statusOf(`${url}/health/ready`)).toBe(503)
    expect(await statusOf(`${url}/api/v1/auth/me`)).toBe(503)

    service.kill(signal)

    expect(await service.exited).toEqual({ code: 0, signal: null })
  })

  test('a port that is taken ends all, which say so once', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }

    const { service } = await startWorkers({ PORT: String(port), WEB_CONCURRENCY: '3', LOG_LEVEL: 'silent' })

    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output()).toBe(
      `The configuration is not usable:\n  PORT: ${port} is already in use by another process\n`,
    )
  })

  test('a secret that does not fit the database ends all, which say so once', async () => {
    const first = await startWorkers()
    await first.service.ready()
    first.service.kill('SIGINT')
    await first.service.exited

    const { service } = await startWorkers({
      DATABASE_URL: first.databaseUrl,
      BETTER_AUTH_SECRET: [...secret].reverse().join(''),
      LOG_LEVEL: 'silent',
    })

    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output()).toMatch(
      /^The configuration is not usable:\n {2}BETTER_AUTH_SECRET: is not the one [^\n]*\n$/,
    )
  })
})
