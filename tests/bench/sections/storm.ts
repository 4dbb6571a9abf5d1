import { type Arranged, arrange } from '../arrange.ts'
import { append, type Bench, withClient } from '../bench.ts'
import type { Answers, Pace } from '../load/job.ts'
import { addPasswords, addPeople } from '../people.ts'
import { createProbe, type Probe } from '../probe.ts'
import { cpuSeconds, untilIdle } from '../processes.ts'
import { type Check, figure, type Row, ratio, type Section } from '../report.ts'
import { bearer, mePath, signInPath, startHashing } from '../service.ts'

const clients = 200
const probesPerSecond = 200
const shortestSeconds = 4
const statuses = [401, 503]
const storms = { storm: false, 'patient storm': true }

/** What those who are signed in notice of very many wrong logins, and what becomes of these. */
export async function storm(bench: Bench): Promise<Section> {
  const probe = createProbe()
  bench.defer(probe.remove)
  const arranged = await arrange(bench, { env: { RATE_LIMIT: '0', ...probe.env }, nodeFlags: probe.nodeFlags })
  const { service, admin } = arranged
  const hashing = await startHashing(bench)
  const seconds = Math.max(shortestSeconds, bench.options.seconds)
  const bodies = await wrongLogins(arranged)
  const pace = {
    url: service.url,
    shot: { path: mePath, headers: bearer(admin.token) },
    connections: 8,
    perSecond: probesPerSecond,
    seconds,
  }
  const rows: Row[] = []
  await bench.load.pace(pace)
  for (let round = 0; round < bench.options.rounds; round++) {
    append(rows, 'me, idle', await paced(bench, arranged, probe, pace))
    for (const [name, isPatient] of Object.entries(storms)) {
      const headers = { 'content-type': 'application/json', origin: service.baseUrl }
      const [me, { answers, cpuSeconds: generator }] = await Promise.all([
        paced(bench, arranged, probe, pace),
        bench.load.storm({ url: service.url, path: signInPath, headers, bodies, seconds, isPatient, expect: statuses }),
      ])
      append(rows, `me, ${name}`, me)
      for (const status of statuses) append(rows, `logins, ${name}, ${status}`, loginFigures(answers[status], seconds))
      append(rows, `logins, ${name}, all`, {
        perSecond: total(answers) / seconds,
        loadShare: (generator * 100) / seconds,
      })
      // What is queued still would be the next round's.
      await untilIdle(service.pid)
    }
    const [me, perSecond] = await Promise.all([paced(bench, arranged, probe, pace), hashing.run(seconds)])
    append(rows, 'me, beside hashing elsewhere', me)
    append(rows, 'hashing elsewhere', { perSecond })
  }
  return {
    title: `${clients} concurrent wrong logins`,
    notes: [
      `${probesPerSecond} requests a second to GET ${mePath}, on their own and beside ${clients} clients that try to sign in, each again as soon as it is answered; patient ones wait as Retry-After says. 401: the password was checked; 503: refused.`,
      `Hashing elsewhere: a process that does nothing else, beside the same requests; threads: ${hashing.threads}.`,
    ],
    rows,
    checks: [
      ...Object.keys(storms).flatMap((name) => checksOf(rows, name, name === 'storm')),
      // What two processors leave to the service when one of them hashes: what bounds the others.
      figure(
        'another process that hashes, and no sign-in: p99 of `me`, to that without it',
        ratio(rows, 'p99Ms', 'me, beside hashing elsewhere', 'me, idle'),
      ),
    ],
  }
}

/** Only clients that do not wait are held to the targets. */
function checksOf(rows: Row[], name: string, hasTargets: boolean): Check[] {
  const metric = (row: string, of: string) => rows.find((each) => each.name === row)?.metrics[of] ?? []
  const target = <T>(value: T) => (hasTargets ? value : undefined)
  const who = `${clients} clients with wrong passwords that ${hasTargets ? 'retry at once' : 'wait as `Retry-After` says'}`
  return [
    figure(
      `${who}: p99 of \`me\`, to that without them`,
      ratio(rows, 'p99Ms', `me, ${name}`, 'me, idle', target({ atMost: 3 })),
    ),
    figure('– p99 of the event loop’s delay', {
      name: `event loop delay, ${name}, p99`,
      unit: 'ms',
      values: metric(`me, ${name}`, 'loopP99Ms'),
      target: target({ atMost: 20 }),
    }),
    figure('– p99 of the refusals', {
      name: `refused logins, ${name}, p99`,
      unit: 'ms',
      values: metric(`logins, ${name}, 503`, 'p99Ms'),
      target: target({ atMost: 50 }),
    }),
    figure(
      '– passwords checked, to what can be',
      ratio(rows, 'perSecond', `logins, ${name}, 401`, 'hashing elsewhere', target({ atLeast: 0.9 })),
    ),
  ]
}

/** Requests of somebody who is signed in, and how late the event loop of the service is meanwhile. */
async function paced(bench: Bench, { service }: Arranged, probe: Probe, pace: Pace): Promise<Record<string, number>> {
  await probe.read(service.pid)
  const [before, startedAt] = [cpuSeconds(service.pid), performance.now()]
  const { p50Ms, p99Ms, maxMs } = await bench.load.pace(pace)
  // Longer than was asked for, when answers were late.
  const ms = performance.now() - startedAt
  const used = cpuSeconds(service.pid) - before
  const delay = await probe.read(service.pid)
  return {
    p50Ms,
    p99Ms,
    maxMs,
    loopP99Ms: delay.p99Ms,
    loopMaxMs: delay.maxMs,
    serverShare: (used * 100_000) / ms,
  }
}

function loginFigures(answers: Answers[number] | undefined, seconds: number): Record<string, number> {
  const none = Number.NaN
  const { count, p50Ms, p99Ms, maxMs } = answers ?? { count: 0, p50Ms: none, p99Ms: none, maxMs: none }
  return { perSecond: count / seconds, p50Ms, p99Ms, maxMs }
}

function total(answers: Answers): number {
  return Object.values(answers).reduce((sum, { count }) => sum + count, 0)
}

async function wrongLogins({ database }: Arranged): Promise<string[]> {
  const people = await withClient(database, async (client) => {
    const added = await addPeople(client, clients)
    await addPasswords(client, added, 'correct horse battery')
    return added
  })
  return people.map(({ email }) => JSON.stringify({ email, password: 'wrong horse battery' }))
}
