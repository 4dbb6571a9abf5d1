import { expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, startService } from '../support/harness.ts'
import { buildService, type ServiceProcess, statusOf } from '../support/service-process.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { messages, startSignIn, startWorkers } from '../support/workers.ts'

const root = buildService()
// Several workers need PostgreSQL.
const processes = onPostgres ? ['1', '2'] : ['1']
// How long Docker waits after SIGTERM.
const graceMs = 10_000

/** A service that takes requests, and what is between it and its PostgreSQL. */
async function start(
  workers: string,
): Promise<{ service: ServiceProcess; url: string; network: TcpProxy | undefined }> {
  const database = await createTestDatabase()
  const databaseUrl = database.env['DATABASE_URL']
  const network = databaseUrl === undefined ? undefined : await startProxy(databaseUrl)
  if (network) onTestFinished(network.close)
  const way = network && { DATABASE_URL: network.url(databaseUrl ?? '') }
  const { service, url } = await startWorkers(root, { WEB_CONCURRENCY: workers, ...way }, database)
  await service.ready()
  return { service, url, network }
}

/** How a process ends that is told to; undefined where it is still there when Docker would kill it. */
async function endOf(service: ServiceProcess): Promise<{ code: number | null } | undefined> {
  let timer: NodeJS.Timeout | undefined
  const given = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), graceMs)
  })
  service.kill('SIGTERM')
  const end = await Promise.race([service.exited, given])
  clearTimeout(timer)
  return end
}

test.each(processes)('a request that never ends is cut off by %s process(es), which say so', async (workers) => {
  const { service, url } = await start(workers)
  const signIn = await startSignIn(url)

  expect(await endOf(service)).toEqual({ code: 0, signal: null })

  expect(messages(service, 'cutting their connections off')).toMatchObject([{ connections: 1 }])
  await expect(signIn.finish()).rejects.toThrow('socket hang up')
})

test.skipIf(!onPostgres).each(processes)(
  'a transaction that comes to no end is given up before %s process(es) must end (needs PostgreSQL)',
  async (workers) => {
    const { service, url, network } = await start(workers)
    // Each statement just in time, and all of them too late.
    network?.delay(2_000)
    const signUp = fetch(`${url}/api/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ email: 'ada@example.com', name: 'Ada', password: 'correct horse battery' }),
    })
    for (let i = 0; i < 4; i++) expect(await statusOf(`${url}/health`)).toBe(200)

    const ended = endOf(service)
    expect((await signUp).status).toBe(503)
    expect(await ended).toBeDefined()
  },
)

test('what hangs for ever is given up before the process must end, and named', async () => {
  const service = await startService()
  const { upkeep } = service.services
  const { close } = upkeep
  onTestFinished(close)
  upkeep.close = () => new Promise(() => {})

  await expect(service.stop()).rejects.toThrow(/^Stopping took too long, and is cut off: upkeep$/)
})
