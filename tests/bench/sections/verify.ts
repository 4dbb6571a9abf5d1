import { randomUUID } from 'node:crypto'
import { type Arranged, arrange, startJoseAndQuery } from '../arrange.ts'
import { append, type Bench, compare, withClient } from '../bench.ts'
import type { Shot } from '../load/job.ts'
import { addPeople } from '../people.ts'
import { startCounted } from '../query-counter.ts'
import { type Check, figure, type Row, ratio, type Section, worst } from '../report.ts'
import { bearer, mePath } from '../service.ts'

const perKind = 1_000
const verifyPath = '/api/v1/auth/verify'
const floodShare = 7 / 8
const probesPerSecond = 200

/** What it costs to refuse tokens that are not good, and what those who have a good one notice of it. */
export async function verify(bench: Bench): Promise<Section> {
  const arranged = await arrange(bench)
  const { database, service, admin } = arranged
  const kinds = await badTokens(arranged)
  const jose = await startJoseAndQuery(bench, arranged)
  const good: Shot = { path: mePath, headers: bearer(admin.token) }
  const shotsOf = (tokens: string[]) => tokens.map((token): Shot => ({ path: mePath, headers: bearer(token) }))
  const candidates = Object.entries(kinds).flatMap(([kind, tokens]) => {
    const bad = { shots: shotsOf(tokens), expect: 401 }
    return [
      [`me, ${kind}`, { server: service, ...bad }],
      [`jose, ${kind}`, { server: jose, ...bad }],
    ] as const
  })
  const signed = kinds['wrong signature']?.[0]
  const rows = await compare(bench, {
    'me, good token': { server: service, shots: [good] },
    ...Object.fromEntries(candidates),
    'verify, wrong signature': {
      server: service,
      method: 'POST',
      shots: [{ path: verifyPath, headers: { ...good.headers, 'content-type': 'application/json' } }],
      body: JSON.stringify({ token: signed }),
    },
  })
  const flooded = await flood(bench, arranged, good, Object.values(kinds).flatMap(shotsOf))
  const counted = await startCounted(bench, database, service)
  const queries = Object.entries(kinds).map(async ([kind, tokens]): Promise<Check> => {
    const ask = ({ url }: { url: string }, i: number) => fetch(`${url}${mePath}`, { headers: bearer(tokens[i] ?? '') })
    const values = [await counted.queriesPer(ask, { expect: 401 })]
    return { name: `me, ${kind}, a request`, unit: 'queries', values, target: { atMost: 0 } }
  })
  const checks: Check[] = []
  for (const check of queries) checks.push(await check)
  return {
    title: 'Tokens that are not good',
    notes: [
      `${perKind} different tokens of each kind, answered 401 by GET ${mePath}, and 200 with \`active: false\` by POST ${verifyPath}.`,
      `The last rows are of ${probesPerSecond} requests a second with a good token, beside nothing else, and beside a load of good and of bad ones.`,
    ],
    rows: [...rows, ...flooded],
    checks: [
      ...Object.keys(kinds).map((kind) => ratio(rows, 'perSecond', `me, ${kind}`, `jose, ${kind}`)),
      figure('tokens that are not good, database queries', worst('me, a bad token of any kind, a request', checks)),
      figure(
        '– p99 of `me` with a good token beside a load of them, to that beside good ones',
        ratio(flooded, 'p99Ms', 'good, beside bad', 'good, beside good', { atMost: 2 }),
      ),
      ratio(flooded, 'p99Ms', 'good, beside bad', 'good, alone'),
      ...checks,
    ],
  }
}

/** How long who has a good token waits while the service is kept busy, with good tokens or with bad ones. */
async function flood(bench: Bench, { service, database, signer }: Arranged, good: Shot, bad: Shot[]): Promise<Row[]> {
  const rows: Row[] = []
  const connections = Math.max(1, Math.round(bench.options.connections * floodShare))
  const { seconds } = bench.options
  const people = await withClient(database, (client) => addPeople(client, 50))
  const others: Shot[] = []
  for (const person of people) others.push({ path: mePath, headers: bearer(await signer.sign(person)) })
  const pace = { url: service.url, shot: good, connections: 8, perSecond: probesPerSecond, seconds }
  const job = { url: service.url, method: 'GET', body: undefined, connections, seconds } as const
  for (let round = 0; round <= bench.options.rounds; round++) {
    const alone = await bench.load.pace(pace)
    const [besideGood] = await Promise.all([
      bench.load.pace(pace),
      bench.load.flatOut({ ...job, shots: others, expect: 200 }),
    ])
    const [besideBad] = await Promise.all([
      bench.load.pace(pace),
      bench.load.flatOut({ ...job, shots: bad, expect: 401 }),
    ])
    if (round === 0) continue
    for (const [name, { p50Ms, p99Ms, maxMs }] of Object.entries({
      alone,
      'beside good': besideGood,
      'beside bad': besideBad,
    }))
      append(rows, `good, ${name}`, { p50Ms, p99Ms, maxMs })
  }
  return rows
}

async function badTokens({ signer, admin }: Arranged): Promise<Record<string, string[]>> {
  const person = { id: randomUUID(), sessionId: randomUUID(), email: 'nobody@example.com', role: 'user' }
  const kinds: Record<string, string[]> = { garbage: [], 'unknown key': [], 'wrong signature': [], expired: [] }
  const now = Math.floor(Date.now() / 1_000)
  const [header = '', , signature = ''] = admin.token.split('.')
  const unknownKey = Buffer.from(JSON.stringify({ alg: 'RS256', kid: randomUUID() })).toString('base64url')
  for (let i = 0; i < perKind; i++) {
    const expired = await signer.sign(person, { iat: now - 1_000, exp: now - 100 })
    const payload = expired.split('.')[1] ?? ''
    const live = Buffer.from(
      JSON.stringify({
        ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object),
        iat: now,
        exp: now + 900,
      }),
    )
    kinds['expired']?.push(expired)
    kinds['garbage']?.push(randomUUID())
    kinds['unknown key']?.push(`${unknownKey}.${live.toString('base64url')}.${signature}`)
    kinds['wrong signature']?.push(`${header}.${live.toString('base64url')}.${signature}`)
  }
  return kinds
}
