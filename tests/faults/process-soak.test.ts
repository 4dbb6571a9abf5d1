import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { bearing, keepAsking, post, signIn, signUp, statusAt } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { secret } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService, startProgram } from '../support/service-process.ts'
import { freePort, startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())

const [warmUpMs, soakMs] = isNightly ? [120_000, 600_000] : [6_000, 12_000]
const samples = isNightly ? 10 : 4
// In so short a time caches still fill; in ten minutes the slope is that of a leak.
const mostMegabytesAMinute = isNightly ? 0.2 : 20
const mostMegabytesMore = isNightly ? 10 : 100
// Of a few hundred answers the slowest are those that something else held up.
const mostTimesAsSlow = isNightly ? 1.2 : 10

interface Sample {
  heapMb: number
  rssMb: number
  handles: number
}

/** A service that tells of its memory when it is asked, after it has collected its garbage. */
async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-soak-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const probe = `
    import { renameSync, writeFileSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    let asked = 0
    if (isMainThread) process.on('SIGUSR2', () => {
      gc(); gc()
      const { heapUsed, rss } = process.memoryUsage()
      const sample = { heapMb: heapUsed / 1e6, rssMb: rss / 1e6, handles: process.getActiveResourcesInfo().length }
      writeFileSync(${JSON.stringify(join(folder, 'part'))}, JSON.stringify(sample))
      renameSync(${JSON.stringify(join(folder, 'part'))}, ${JSON.stringify(`${folder}/`)} + asked++ + '.json')
    })`
  const flags = [
    '--expose-gc',
    '--max-semi-space-size=16',
    `--import=data:text/javascript,${encodeURIComponent(probe)}`,
  ]
  const env = { PORT: String(port), HOST: '127.0.0.1', BETTER_AUTH_URL: url, BETTER_AUTH_SECRET: secret }
  const service = startProgram(
    [process.execPath, ...flags, join(root, 'dist/src/main.js')],
    { ...env, DATABASE_URL: database.url, RATE_LIMIT: '0', LOG_LEVEL: 'warn' },
    folder,
    onTestFinished,
  )
  await expect.poll(() => statusAt(`${url}/health/ready`).catch(() => 0), { timeout: 50_000 }).toBe(200)
  const answers = () => readdirSync(folder).filter((name) => name.endsWith('.json'))
  async function sample(): Promise<Sample> {
    const before = answers().length
    process.kill(service.pid, 'SIGUSR2')
    await expect.poll(() => answers().length, { timeout: 20_000 }).toBe(before + 1)
    return JSON.parse(readFileSync(join(folder, `${before}.json`), 'utf8')) as Sample
  }
  return { url, sample }
}

/** How long answers take of what is asked again and again. */
function timed<T>(ask: () => Promise<T>) {
  let times: number[] = []
  return {
    async ask() {
      const startedAt = performance.now()
      const answer = await ask()
      times.push(performance.now() - startedAt)
      return answer
    },
    /** What all but a hundredth of those since the last time took at most, in milliseconds. */
    takeP99() {
      const sorted = times.toSorted((a, b) => a - b)
      times = []
      return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
    },
  }
}

/** How much the heap grows a minute, by the line that fits the samples best. */
function slopeOf(heap: number[], intervalMs: number): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const minutes = heap.map((_, i) => (i * intervalMs) / 60_000)
  const [x, y] = [mean(minutes), mean(heap)]
  const shared = mean(minutes.map((minute, i) => (minute - x) * ((heap[i] ?? 0) - y)))
  return shared / mean(minutes.map((minute) => (minute - x) ** 2))
}

test(`R-34 ${soakMs / 1_000} s of everything leave the memory as it was, and the time that an answer takes`, {
  timeout: warmUpMs + soakMs + 120_000,
}, async () => {
  const { url, sample } = await start()
  const ada = await signUp(url)
  const me = timed(() => statusAt(`${url}/api/v1/auth/me`, bearing(ada)))
  const load = keepAsking(8, [
    me.ask,
    () => statusAt(`${url}/api/auth/token`, { headers: { cookie: ada.cookie } }),
    () => statusAt(`${url}/sign-in`),
    () => statusAt(`${url}/api/v1/users/me/sessions?limit=5`, bearing(ada)),
    () => statusAt(`${url}/api/v1/auth/me`, { headers: { authorization: `Bearer ${ada.token}x` } }),
    async () => (await post(`${url}/api/v1/auth/verify`, { token: ada.token }, bearing(ada).headers)).status,
  ])
  // Passwords take what is left: a user and a session each, which end.
  const people = keepAsking(1, [
    async () => {
      const { email } = await signUp(url)
      const { cookie } = await signIn(url, email)
      return (await post(`${url}/api/auth/sign-out`, {}, { cookie, origin: url })).status
    },
  ])
  await pause(warmUpMs)
  const taken = [await sample()]
  const p99s: number[] = []
  me.takeP99()
  for (let i = 0; i < samples; i++) {
    await pause(soakMs / samples)
    p99s.push(me.takeP99())
    taken.push(await sample())
  }
  const outcomes = [Object.fromEntries(await load.stop()), Object.fromEntries(await people.stop())]

  const [first, last] = [taken[0] as Sample, taken.at(-1) as Sample]
  const slope = slopeOf(
    taken.map(({ heapMb }) => heapMb),
    soakMs / samples,
  )
  tellFigures('R-34', { outcomes, heapMbAMinute: slope, first, last, p99s })
  expect(outcomes.map((one) => Object.keys(one).toSorted())).toEqual([['200', '401'], ['200']])
  expect(slope).toBeLessThan(mostMegabytesAMinute)
  expect(last.rssMb).toBeLessThan(first.rssMb * 1.15 + mostMegabytesMore)
  expect(last.handles).toBeLessThanOrEqual(first.handles + 15)
  expect(p99s.at(-1)).toBeLessThan((p99s[0] ?? 0) * mostTimesAsSlow)
})
