import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { Job, Load, Shot } from './load/job.ts'
import type { LoadGenerator } from './load/load.ts'
import type { Options } from './options.ts'
import { cpuSeconds, type ServerProcess, untilIdle } from './processes.ts'
import type { Row } from './report.ts'

const quietMs = 120_000

/** What a section works with. */
export interface Bench {
  options: Options
  load: LoadGenerator
  /** Ends with the section; what was asked for last ends first. */
  defer: (end: () => unknown) => void
  /** A new database with nothing in it: its URL. */
  createDatabase: () => Promise<string>
  /** Waits until PostgreSQL has come to the end of all that those who are gone have asked for. */
  untilQuiet: () => Promise<void>
}

/** Somebody who is asked, and for what. */
export interface Candidate {
  server: ServerProcess
  /** For each round anew where it is a function. */
  shots: Shot[] | ((round: number) => Shot[])
  method?: Job['method']
  body?: string
  expect?: number
  connections?: number
  seconds?: number
  /** So many requests instead of so many seconds. */
  amount?: number
  /** Whether the server must have come to rest before the next one is asked. */
  settles?: boolean
}

export async function withBench<T>(
  { options, load, postgres }: { options: Options; load: LoadGenerator; postgres: string },
  run: (bench: Bench) => Promise<T>,
): Promise<T> {
  const ends: (() => unknown)[] = []
  const bench: Bench = {
    options,
    load,
    defer: (end) => void ends.unshift(end),
    async createDatabase() {
      const name = `bench_${randomBytes(6).toString('hex')}`
      await withClient(postgres, (client) => client.query(`create database ${name}`))
      bench.defer(() => withClient(postgres, (client) => client.query(`drop database ${name} with (force)`)))
      const url = new URL(postgres)
      url.pathname = `/${name}`
      return url.href
    },
    untilQuiet: () => withClient(postgres, untilQuiet),
  }
  const [outcome] = await Promise.allSettled([run(bench)])
  const endings = []
  for (const end of ends) endings.push(...(await Promise.allSettled([(async () => end())()])))
  // What a section failed of says more than what could not be ended after it.
  for (const result of [outcome, ...endings]) if (result.status === 'rejected') throw result.reason
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}

export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

async function untilQuiet(client: pg.Client): Promise<void> {
  for (const deadline = performance.now() + quietMs; ; await pause(20)) {
    const { rowCount } = await client.query(
      `select from pg_stat_activity
       where datname like 'bench\\_%' and backend_type = 'client backend' and state = 'active'`,
    )
    if (rowCount === 0) return
    if (performance.now() > deadline) throw new Error('PostgreSQL does not come to rest')
  }
}

/**
 * Loads the candidates in turn, round after round, so that a slow minute of the machine is everybody's, and in the other
 * order every other round. Before that each is loaded once, unmeasured.
 * @param others what has its own way to be measured, once a round
 */
export async function compare(
  bench: Bench,
  candidates: Record<string, Candidate>,
  others: Record<string, () => Promise<Record<string, number>>> = {},
): Promise<Row[]> {
  const rows = [...Object.keys(candidates), ...Object.keys(others)].map((name): Row => ({ name, metrics: {} }))
  for (const candidate of Object.values(candidates)) await measure(bench, candidate, 0)
  for (let round = 1; round <= bench.options.rounds; round++) {
    for (const { name } of round % 2 === 1 ? rows.toReversed() : rows) {
      const candidate = candidates[name]
      append(rows, name, (await (candidate ? measure(bench, candidate, round) : others[name]?.())) ?? {})
    }
  }
  return rows
}

/** Adds the figures of a round to the row of that name, which is made where there is none. */
export function append(rows: Row[], name: string, result: Record<string, number>): void {
  let row = rows.find((each) => each.name === name)
  if (!row) rows.push((row = { name, metrics: {} }))
  for (const [metric, value] of Object.entries(result)) (row.metrics[metric] ??= []).push(value)
}

/** One round of one candidate. Round 0 is the one before the first. */
async function measure(bench: Bench, candidate: Candidate, round: number): Promise<Record<string, number>> {
  const { server, shots, method = 'GET', body, expect = 200 } = candidate
  const { connections = bench.options.connections, seconds = bench.options.seconds, amount } = candidate
  const job: Job = {
    url: server.url,
    method,
    shots: typeof shots === 'function' ? shots(round) : shots,
    body,
    connections,
    seconds: round === 0 ? Math.min(seconds, 2) : seconds,
    amount,
    expect,
  }
  const before = cpuSeconds(server.pid)
  const load = await bench.load.flatOut(job)
  const used = cpuSeconds(server.pid) - before
  if (candidate.settles) await untilIdle(server.pid)
  await bench.untilQuiet()
  return figures(load, used)
}

/** The figures of a load. Where nothing was answered in time, an answer took that time at least. */
export function figures(load: Load, serverCpuSeconds: number): Record<string, number> {
  const isAnswered = load.requests > 0
  return {
    perSecond: load.requests / load.seconds,
    p50Ms: isAnswered ? load.p50Ms : load.seconds * 1_000,
    p99Ms: isAnswered ? load.p99Ms : load.seconds * 1_000,
    cpuMicros: isAnswered ? (serverCpuSeconds * 1e6) / load.requests : Number.NaN,
    loadShare: (load.cpuSeconds * 100) / load.seconds,
  }
}
