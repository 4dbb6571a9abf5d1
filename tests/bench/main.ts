import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { startPostgres } from '../support/throwaway-postgres.ts'
import { withBench, withClient } from './bench.ts'
import { createLoadGenerator, generatorName, type LoadGenerator } from './load/load.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { markdown, summary, text } from './print.ts'
import { type Results, type Section, toJson } from './report.ts'
import { sections } from './sections.ts'
import { startFlags } from './service.ts'
import { mergeRuns } from './summary.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

/** Runs the sections that are asked for. One that fails does not keep the others from running, but the exit code tells. */
async function run(options: Options): Promise<void> {
  const unknown = options.only.filter((name) => !(name in sections))
  if (unknown.length > 0) throw new RangeError(`--only: there is no ${unknown.join(', ')}`)
  const postgres =
    options.postgres === undefined ? await startPostgres() : { url: options.postgres, stop: async () => {} }
  const load = createLoadGenerator()
  // Whatever is under way fails then, and is ended in order.
  interrupted.signal.addEventListener('abort', () => {
    load.stop()
    void postgres.stop()
  })
  try {
    const head = await heading(options, postgres.url)
    const results = await runSections(options, load, postgres.url, head)
    if (options.json !== undefined) {
      const machine = { node: process.version, processors: cpus().length, model: cpus()[0]?.model, memory: totalmem() }
      const { rounds, seconds, connections } = options
      const run = { generator: generatorName, rounds, seconds, connections, machine }
      writeFileSync(options.json, `${JSON.stringify({ ...run, sections: toJson(results) }, null, 2)}\n`)
    }
    if (options.markdown) process.stdout.write(`${head}\n\n${done(results).map(markdown).join('\n')}`)
    if (options.summary) process.stdout.write(summary(done(results).flatMap(({ checks }) => checks)))
  } finally {
    load.stop()
    await postgres.stop()
  }
}

async function runSections(options: Options, load: LoadGenerator, postgres: string, head: string): Promise<Results> {
  const results: Results = {}
  // A table is printed as soon as it is there; Markdown, which is kept, without the signs of progress.
  const progress = options.markdown || options.summary ? process.stderr : process.stdout
  progress.write(`${head}\n\n`)
  for (const [name, section] of Object.entries(sections)) {
    if (interrupted.signal.aborted || (options.only.length > 0 && !options.only.includes(name))) continue
    const startedAt = performance.now()
    try {
      results[name] = await withBench({ options, load, postgres }, section)
      progress.write(text(results[name]))
    } catch (error) {
      results[name] = { failed: reasons(error) }
      progress.write(`## ${name} failed\n${reasons(error)}\n`)
      process.exitCode = 1
    }
    progress.write(`(${name}: ${Math.round((performance.now() - startedAt) / 1_000)} s)\n\n`)
  }
  return results
}

async function heading({ rounds, seconds, connections }: Options, postgres: string): Promise<string> {
  const processors = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
  const node = `Node ${process.version} with ${startFlags.join(' ')}, the service and its baselines, on ${processors}.`
  const { rows } = await withClient(postgres, (client) =>
    client.query<{ name: string; setting: string }>(
      "select name, setting from pg_settings where name in ('server_version', 'fsync', 'full_page_writes') order by name",
    ),
  )
  const database = rows.map(({ name, setting }) => `${name} ${setting}`).join(', ')
  const load = `Load by ${generatorName}, ${connections} connections unless said otherwise; ${rounds} rounds of ${seconds} s, by turns; a figure without a range is a single value.`
  return `${node} PostgreSQL at ${new URL(postgres).hostname}: ${database}. ${load}`
}

function done(results: Results): Section[] {
  return Object.values(results).flatMap((result) => ('failed' in result ? [] : [result]))
}

function reasons(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasons(error.cause)}`
}

const options = parseOptions(process.argv.slice(2))
if (options === 'help') process.stdout.write(usage.replace('%sections%', Object.keys(sections).join(', ')))
else if (options.from.length > 0) process.stdout.write(summary(mergeRuns(options.from, Object.keys(sections))))
else await run(options)
