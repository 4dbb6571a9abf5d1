import { once } from 'node:events'
import { createServer } from 'node:net'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { restartDelayMs } from '../../src/workers.ts'
import { onPostgres } from '../support/database-template.ts'
import { secret } from '../support/harness.ts'
import { buildService, startProcess, statusOf } from '../support/service-process.ts'
import { messages, readyWorkers, startWorkers, workersOf } from '../support/workers.ts'

const root = buildService()

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
    const { service, url } = await startWorkers(root, { TRUSTED_ORIGINS: 'http://app.example.com' })
    expect(await service.ready()).toBe(url)
    const workers = await readyWorkers(service)

    for (let i = 0; i < 20; i++) expect(await statusOf(`${url}/health/ready`)).toBe(200)

    const answering = () => new Set(messages(service, 'request').map(({ pid }) => pid))
    await expect.poll(answering).toEqual(new Set(workers))
    expect(new Set([service.pid, ...answering()])).toHaveLength(3)
    expect(messages(service, 'http://app.example.com is trusted')).toMatchObject([{ level: 40, pid: service.pid }])
    expect(messages(service, 'there is no admin yet')).toMatchObject([{ pid: service.pid }])
    expect(messages(service, 'ready').filter(({ msg }) => msg === 'ready')).toHaveLength(1)
  })

  test('a worker that is killed is replaced, and the others answer meanwhile', async () => {
    const { service, url } = await startWorkers(root)
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
    const { service, url, databaseUrl } = await startWorkers(root)
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

  test.each([
    [
      'has no program to run',
      `const { execPath } = process
       process.execPath = '/nowhere/node'
       cluster.once('fork', () => { process.execPath = execPath })`,
      'ENOENT',
    ],
    [
      'finds no memory',
      `const { fork } = cluster
       cluster.fork = () => {
         cluster.fork = fork
         throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM', syscall: 'spawn' })
       }`,
      'ENOMEM',
    ],
  ])('a worker that %s when it takes the place of one is tried again; the others go on', async (_why, fault, code) => {
    const script = `import cluster from 'node:cluster'\nif (cluster.isPrimary) process.on('SIGUSR2', () => { ${fault} })`
    const preload = `--import=data:text/javascript,${encodeURIComponent(script)}`
    const { service, url } = await startWorkers(root, { NODE_OPTIONS: preload })
    const [victim] = await readyWorkers(service)

    service.kill('SIGUSR2')
    process.kill(victim, 'SIGKILL')

    await expect.poll(() => messages(service, 'could not be started')).toMatchObject([{ err: { code } }])
    expect(await statusOf(`${url}/health/db`)).toBe(200)
    await expect.poll(() => workersOf(service), { timeout: 20_000 }).toHaveLength(3)
    service.kill('SIGINT')
    expect(await service.exited).toEqual({ code: 0, signal: null })
  })

  test('they hold a client to one limit together, over however many connections', async () => {
    const { service, url, databaseUrl } = await startWorkers(root, { RATE_LIMIT: '10' })
    await readyWorkers(service)
    const database = new pg.Client(databaseUrl)
    await database.connect()
    onTestFinished(() => database.end())
    const counted = async () => (await database.query('select requests from request_count')).rows
    let allowed = 0

    for (let i = 0; i < 24; i++) {
      if ((await statusOf(`${url}/api/v1/auth/me`)) === 429) continue
      allowed++
      // The last one told may be on its way still.
      await expect.poll(counted, { timeout: 10_000, interval: 20 }).toEqual([{ requests: allowed }])
    }

    // Each worker learns what the other counted when it tells of a request of its own.
    expect(allowed).toBeGreaterThanOrEqual(10)
    expect(allowed).toBeLessThanOrEqual(12)
    const answering = () => new Set(messages(service, 'request').map(({ pid }) => pid))
    await expect.poll(() => answering().size).toBe(2)
  })

  test('a port that is taken ends all, which say so once', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }

    const { service } = await startWorkers(root, { PORT: String(port), WEB_CONCURRENCY: '3', LOG_LEVEL: 'silent' })

    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output()).toBe(
      `The configuration is not usable:\n  PORT: ${port} is already in use by another process\n`,
    )
  })

  test('R-25 a secret that does not fit the database ends all, which say so once', async () => {
    const first = await startWorkers(root)
    await first.service.ready()
    first.service.kill('SIGINT')
    await first.service.exited

    const { service } = await startWorkers(root, {
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
