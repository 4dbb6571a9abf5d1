import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import pg from 'pg'
import { startPostgres } from '../support/throwaway-postgres.ts'
import { type Copy, makeCopy } from './copy.ts'
import type { Mutant, Source } from './mutations.ts'
import { nearest, type Reach, withMutation, withProbes } from './reach.ts'
import { type Result, resultOf } from './results.ts'

const hourMs = 3_600_000

/** Runs all tests once, to make a `folder` of which of them reach what. @throws Error when some of them fail */
export async function learn(sources: readonly Source[], mutants: readonly Mutant[], folder: string): Promise<void> {
  const unfinished = `${folder}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  await inCopy(async (copy, url) => {
    for (const { name, text } of sources) {
      const own = mutants.filter(({ file }) => file === name)
      copy.write(name, withProbes(text, own))
    }
    const env = { TEST_DATABASE_URL: url, MUTANTS_REACHED: unfinished }
    const { passed, output } = await copy.test([], { env, mostMs: hourMs })
    if (!passed) throw new Error(`Some tests fail with probes in the sources:\n${output}`)
  })
  renameSync(unfinished, folder)
}

interface Judging {
  /** Mutants that are taken from it one by one, by several at the same time. */
  left: Mutant[]
  reaches: readonly Reach[]
  /** How long the tests for one mutant take, at most, where they pass. */
  mostMs: number
  tell: (result: Result) => void
}

/** Judges mutants as long as some are left, on a copy and a database server of its own. */
export async function judge({ left, reaches, mostMs, tell }: Judging): Promise<void> {
  await inCopy(async (copy, url) => {
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      const files = nearest(mutant.id, reaches, mostMs)
      tell(files.length === 0 ? resultOf(mutant, 'not reached') : await judged(mutant, files, copy, url, mostMs))
      await removeDatabases(url)
    }
  })
}

async function inCopy(work: (copy: Copy, url: string) => Promise<void>): Promise<void> {
  const copy = makeCopy()
  try {
    const { url, stop } = await startPostgres()
    try {
      await work(copy, url)
    } finally {
      await stop()
    }
  } finally {
    copy.remove()
  }
}

async function judged(mutant: Mutant, files: string[], copy: Copy, url: string, mostMs: number) {
  const { file, mutation } = mutant
  copy.write(file, withMutation(readFileSync(file, 'utf8'), mutation))
  try {
    // A test that fails by chance fails once. Who waits for ever does not pass, either.
    const args = ['--bail=1', '--maxWorkers=1', '--retry=1']
    const { passed, output } = await copy.test(files, { env: { TEST_DATABASE_URL: url }, mostMs: 5 * mostMs, args })
    return passed ? resultOf(mutant, 'survived') : resultOf(mutant, 'killed', failureIn(output))
  } finally {
    copy.restore(file)
  }
}

/** The first test that the output of a run tells to have failed; undefined where the run was ended. */
function failureIn(output: string): string | undefined {
  return /^ *FAIL +(.+)$/m.exec(output)?.[1]
}

/** Removes what tests left that were ended. */
async function removeDatabases(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      `select datname as name from pg_database where datname like 'latchkey%'`,
    )
    for (const { name } of rows) await client.query(`drop database ${name} with (force)`)
  } finally {
    await client.end()
  }
}
