import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { startPostgres } from '../support/throwaway-postgres.ts'
import { type Load, startLoad } from './load.ts'
import { type Section, summarize, table } from './report.ts'
import { environment, freePort, signIn, startServer, startService, type Target } from './targets.ts'

const usage = 'npm run bench -- [--json] [--out file] [--rounds 5] [--seconds 4] [--connections 64]'
const limitMs = 170_000
const warmUpSeconds = 3

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    help: { type: 'boolean', default: false },
  },
})
const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number,
]

interface Candidate {
  target: Target
  path: string
  headers: Record<string, string>
}

/** Loads the candidates in turn, round after round, so that a slow minute of the machine is everybody's. */
async function compare(load: Load, candidates: Record<string, Candidate>): Promise<Section['rounds']> {
  const results: Section['rounds'] = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, { target, path, headers }] of Object.entries(candidates)) {
      const job = { url: `${target.url}${path}`, headers, connections, seconds: round === 0 ? warmUpSeconds : seconds }
      const result = await load.run(job, target.pid)
      if (round > 0) results[name]?.push(result)
    }
  }
  return results
}

/** What it costs to know who asks: ours, against no question at all and against Better-Auth's own answer. */
async function authentication(databaseUrl: string, load: Load, cleanup: (() => unknown)[]): Promise<Section> {
  const env = environment(databaseUrl, await freePort())
  const started = async (starting: Promise<Target>) => {
    const target = await starting
    cleanup.unshift(target.stop)
    return target
  }
  const service = await started(startService(env))
  const { cookie, token } = await signIn(service.url, env['BETTER_AUTH_URL'] ?? '')
  const path = '/api/v1/auth/me'
  const bearer = { authorization: `Bearer ${token}` }
  const body = await (await fetch(`${service.url}${path}`, { headers: bearer })).text()
  const bare = await started(startServer('bare-server.ts', { BODY: body }))
  const getSession = await started(startServer('get-session-server.ts', env))
  return {
    title: `GET ${path}, ${connections} connections, ${rounds} rounds of ${seconds} s`,
    rounds: await compare(load, {
      'Latchkey, JWT': { target: service, path, headers: bearer },
      'Latchkey, cookie': { target: service, path, headers: { cookie } },
      'bare Hono': { target: bare, path, headers: bearer },
      getSession: { target: getSession, path, headers: { cookie } },
    }),
    ratios: ['Latchkey, JWT', 'Latchkey, cookie'].flatMap((name) =>
      ['bare Hono', 'getSession'].map((to): [string, string] => [name, to]),
    ),
  }
}

async function main(): Promise<void> {
  const cleanup: (() => unknown)[] = []
  const limit = setTimeout(() => {
    process.stderr.write(`not done after ${limitMs / 1_000} s\n`)
    process.exitCode = 1
    void end(cleanup).finally(() => process.exit())
  }, limitMs)
  try {
    const postgres = await startPostgres()
    cleanup.unshift(postgres.stop)
    const load = startLoad()
    cleanup.unshift(load.stop)
    const sections = [await authentication(postgres.url, load, cleanup)].map(summarize)
    const machine = { node: process.version, processors: cpus().length, model: cpus()[0]?.model ?? 'unknown' }
    const json = `${JSON.stringify({ machine, sections }, null, 2)}\n`
    if (values.out !== undefined) writeFileSync(values.out, json)
    const text = `Node ${machine.node}, ${machine.processors} × ${machine.model}\n\n${sections.map(table).join('\n\n')}\n`
    process.stdout.write(values.json ? json : text)
  } finally {
    clearTimeout(limit)
    await end(cleanup)
  }
}

async function end(cleanup: (() => unknown)[]): Promise<void> {
  for (const stop of cleanup.splice(0)) await stop()
}

if (values.help) process.stdout.write(`${usage}\n`)
else await main()
