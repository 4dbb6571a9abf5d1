import { readFileSync, renameSync } from 'node:fs'
import pg from 'pg'
import { type Copy, inCopy, writeSwitches } from './copy.ts'
import type { Mutant, Source } from './mutations.ts'
import { type Nearest, numberReaches, readReaches, within, withMutation } from './reach.ts'
import { type Result, resultOf } from './results.ts'

const hourMs = 3_600_000

/**
 * Runs all tests once, to make a `folder` of which of them reach what. Where some fail, those alone are run the next time.
 * @throws Error when some fail
 */
export async function learn(sources: readonly Source[], mutants: readonly Mutant[], folder: string): Promise<void> {
  const unfinished = `${folder}.unfinished`
  numberReaches(unfinished, mutants)
  await inCopy(async (copy, url) => {
    writeSwitches(copy, sources, mutants)
    const env = { TEST_DATABASE_URL: url, MUTANTS_REACHED: unfinished }
    const known = readReaches(unfinished, mutants).map(({ file }) => file)
    // Our own tests look at the sources as they are without switches.
    const args = ['tests/mutants/**', ...known].map((file) => `--exclude=${file}`)
    const { passed, output } = await copy.test([], { env, mostMs: hourMs, args })
    if (!passed) throw new Error(`Some tests fail with switches in the sources:\n${output}`)
  })
  renameSync(unfinished, folder)
}

interface Judging {
  /** Mutants that are taken from it one by one, by several at the same time. */
  left: Mutant[]
  nearest: Nearest
  /** How long the tests for one mutant take, at most, where they pass. */
  mostMs: number
  tell: (result: Result) => void
}

/** Judges mutants as long as some are left, on a copy and a database server of its own. */
export async function judge({ left, nearest, mostMs, tell }: Judging): Promise<void> {
  await inCopy(async (copy, url) => {
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      const files = within(mostMs, nearest(mutant))
      tell(files.length === 0 ? resultOf(mutant, 'not reached') : await judged(mutant, files, copy, url, mostMs))
      await removeDatabases(url)
    }
  })
}

async function judged(mutant: Mutant, files: string[], copy: Copy, url: string, mostMs: number) {
  const { file } = mutant
  copy.write(file, withMutation(readFileSync(file, 'utf8'), mutant))
  try {
    // A test that fails by chance fails once. Who waits for ever does not pass, either.
    const args = ['--bail=1', '--maxWorkers=1', '--retry=1', '--testTimeout=20000', '--hookTimeout=20000']
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
