import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { bearing, keepAsking, post, signUp, statusAt } from '../support/callers.ts'
import { askAll, connectMany } from '../support/crowds.ts'
import { startAsDeployed } from '../support/deployed.ts'
import { tellFigures } from '../support/figures.ts'
import { password } from '../support/harness.ts'
import { canLimitMemory, memoryGroup, memoryOf, throttle } from '../support/limits.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService } from '../support/service-process.ts'
import { startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())

const stormMs = isNightly ? 60_000 : 4_000
// What the service promises for what it does not refuse at once, and what a busy machine takes on top of it.
const promisedMs = 5_000 + 10_000

const start = (within?: (command: string[]) => string[]) => startAsDeployed(root, database.url, within)

/** So many who try to sign in, each again as soon as it is answered. */
function storm(url: string, clients = 200) {
  const slowest = { ms: 0 }
  const attempt = async () => {
    const startedAt = performance.now()
    const email = `${randomUUID()}@example.com`
    const response = await post(`${url}/api/auth/sign-in/email`, { email, password }, { origin: url })
    await response.arrayBuffer()
    slowest.ms = Math.max(slowest.ms, performance.now() - startedAt)
    return response.status
  }
  return { ...keepAsking(clients, [attempt]), slowest }
}

/** One who asks who they are, again and again. */
function watch(ask: () => Promise<number>) {
  const times: number[] = []
  const timed = async () => {
    const startedAt = performance.now()
    const status = await ask()
    times.push(performance.now() - startedAt)
    return status
  }
  return {
    ...keepAsking(1, [timed]),
    p99: () => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN,
  }
}

test('R-31 while two hundred sign in at once, who is signed in is answered as ever', async () => {
  const { url } = await start()
  const ada = await signUp(url)
  const attempts = storm(url)
  const [me, health] = [
    watch(() => statusAt(`${url}/api/v1/auth/me`, bearing(ada))),
    watch(() => statusAt(`${url}/health`)),
  ]
  await pause(stormMs)
  const outcomes = Object.fromEntries(await attempts.stop())
  expect([...(await me.stop()).keys(), ...(await health.stop()).keys()]).toEqual(['200', '200'])

  const [meMs, healthMs] = [me.p99(), health.p99()]
  tellFigures('R-31', { outcomes, meMs, healthMs, slowestSignInMs: attempts.slowest.ms })
  expect(Object.keys(outcomes).toSorted()).toEqual(['401', '503'])
  // Behind the passwords that wait it would be five seconds.
  expect(Math.max(meMs, healthMs)).toBeLessThan(isNightly ? 300 : 1_000)
  expect(attempts.slowest.ms).toBeLessThan(promisedMs)
})

test('R-32 with a fifth of a processor it refuses what it cannot do in time, and answers all in time', async () => {
  const { service, url } = await start()
  const ada = await signUp(url)
  const restore = throttle(service.pid, 0.2)
  const me = watch(() => statusAt(`${url}/api/v1/auth/me`, bearing(ada)))
  const attempts = storm(url, 40)
  await pause(stormMs)
  const outcomes = Object.fromEntries(await attempts.stop())
  expect([...(await me.stop()).keys()]).toEqual(['200'])
  restore()

  tellFigures('R-32', { outcomes, meMs: me.p99(), slowestSignInMs: attempts.slowest.ms })
  expect(Object.keys(outcomes).toSorted()).toEqual(['401', '503'])
  expect(attempts.slowest.ms).toBeLessThan(promisedMs)
  expect(me.p99()).toBeLessThan(promisedMs)
  await expect.poll(() => statusAt(`${url}/health/ready`), { timeout: 10_000 }).toBe(200)
})

test.skipIf(!canLimitMemory)(
  'R-33 256 MB are enough for a storm and a thousand connections (needs cgroups)',
  async () => {
    const { service, url } = await start(memoryGroup(256 * 1_024 * 1_024))
    const sockets = await connectMany(url, 1_000)
    askAll(sockets)
    const attempts = storm(url)
    await pause(stormMs)
    const outcomes = Object.fromEntries(await attempts.stop())

    tellFigures('R-33', { outcomes, peakMb: memoryOf(service.pid).peak / 1e6 })
    expect(Object.keys(outcomes).toSorted()).toEqual(['401', '503'])
    for (const socket of sockets) socket.destroy()
    expect(await statusAt(`${url}/health/db`)).toBe(200)
  },
)

test('R-51 without file descriptors it ends no request wrongly, and takes connections again', async () => {
  const { service, url } = await start()
  const ada = await signUp(url)
  // Once it has read its own files.
  execFileSync('prlimit', ['--pid', String(service.pid), '--nofile=64:64'])
  const sockets = await connectMany(url, 300)
  askAll(sockets)
  await pause(1_000)
  const statuses = await Promise.all(
    Array.from({ length: 20 }, () =>
      statusAt(`${url}/api/v1/auth/me`, { ...bearing(ada), signal: AbortSignal.timeout(2_000) }).catch(() => 0),
    ),
  )
  expect(statuses.filter((status) => ![0, 200, 503].includes(status))).toEqual([])

  for (const socket of sockets) socket.destroy()
  await expect.poll(() => statusAt(`${url}/api/v1/auth/me`, bearing(ada)).catch(() => 0), { timeout: 20_000 }).toBe(200)
  expect((await signUp(url)).token).toBeTruthy()
  service.kill('SIGINT')
  expect(await service.exited).toEqual({ code: 0, signal: null })
})

/** How many sockets a process holds, but those of its pool to the database, which grows and shrinks. */
function socketsOf(pid: number): number {
  const port = Number(new URL(database.url).port).toString(16).toUpperCase().padStart(4, '0')
  const ofPool = readFileSync(`/proc/${pid}/net/tcp`, 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, , remote, , , , , , , inode]) => (remote?.endsWith(`:${port}`) ? [`socket:[${inode}]`] : []))
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => linkAt(`/proc/${pid}/fd/${fd}`))
  return targets.filter((target) => target.startsWith('socket:') && !ofPool.includes(target)).length
}

/** Where a link leads; nowhere once it is gone. */
function linkAt(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

const aborts = isNightly ? 10_000 : 500

test(`R-49 ${aborts} clients that reset in the midst of a write leave no connection and no transaction behind`, async () => {
  const { service, url } = await start()
  const ada = await signUp(url)
  const before = socketsOf(service.pid)
  const { hostname, port } = new URL(url)
  const body = JSON.stringify({ name: 'Ada Lovelace' })
  const head = `PATCH /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  const abort = async () => {
    const socket = connect(Number(port), hostname).on('error', () => {})
    await once(socket, 'connect')
    // Before all of it was sent, or just after.
    const sent = Math.random() < 0.5 ? body.slice(0, 5) : body
    socket.write(head + sent)
    if (Math.random() < 0.5) await pause(5)
    socket.resetAndDestroy()
    // Waits for its turn at the database, as whoever goes on asking does.
    expect(await statusAt(`${url}/health/db`, { headers: { connection: 'close' } })).toBe(200)
    return 'reset'
  }
  const load = keepAsking(4, [abort])
  await expect.poll(() => load.outcomes.get('reset') ?? 0, { timeout: 100_000 }).toBeGreaterThan(aborts)
  expect([...(await load.stop()).keys()]).toEqual(['reset'])

  expect(await statusAt(`${url}/api/v1/auth/me`, bearing(ada))).toBe(200)
  await expect.poll(() => socketsOf(service.pid), { timeout: 30_000, interval: 200 }).toBeLessThanOrEqual(before)
  // A beat that comes late on a busy machine is told of, too.
  expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([])
  service.kill('SIGINT')
  expect(await service.exited).toEqual({ code: 0, signal: null })
})
