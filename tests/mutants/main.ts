import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { explanations } from './explained.ts'
import { readGuards } from './guards.ts'
import { judge, learn } from './judge.ts'
import { keyOf, type Mutant, mutantsOf } from './mutations.ts'
import { killQuickly } from './quick.ts'
import { createNearest, type Nearest, readReaches } from './reach.ts'
import { keep, kept, lineOf, resultOf } from './results.ts'

// Whether the tests notice faults in what guards: `npm run mutants -- [part of a path …]`. All tests are run once to learn
// which of them reach what; then each mutant meets those nearest to it, until one fails. What is known stays in a folder,
// so that a run that was interrupted goes on, after a change of the tests or of some sources, too. With `--tests file` they
// meet the tests of that file, or of several, and no others: for whoever writes a test.
const { values, positionals } = parseArgs({
  options: {
    folder: { type: 'string', default: 'mutants' },
    workers: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '60' },
    tests: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

const sources = readGuards()
const mutants = mutantsOf(sources)
const asked = mutants.filter(({ file }) => positionals.length === 0 || positionals.some((part) => file.includes(part)))

if (values.list) for (const mutant of asked) process.stdout.write(lineOf(resultOf(mutant, 'not reached')))
else process.exitCode = (await judgeAll(resolve(values.folder))) ? 0 : 1

/** Judges what has not been judged yet. Returns whether each mutant was noticed, or its survival is explained. */
async function judgeAll(folder: string): Promise<boolean> {
  mkdirSync(folder, { recursive: true })
  const nearest = values.tests ? among(values.tests) : await nearestOfAll(join(folder, 'reached'))
  const known = kept(folder)
  // What was not noticed may be by now.
  const left = new Set(asked.filter((mutant) => known.get(keyOf(mutant))?.verdict !== 'killed'))
  process.stdout.write(`${asked.length} mutants, ${left.size} of them to be judged\n`)
  const workers = Number(values.workers)
  const tell = (mutant: Mutant, by: string) => keep(folder, resultOf(mutant, 'killed', by))
  await killQuickly({ sources, mutants, left, nearest, workers, tell })
  const queue = [...left]
  process.stdout.write(`${queue.length} left to be judged one by one\n`)
  const judges = Array.from({ length: workers }, () =>
    judge({
      left: queue,
      nearest,
      mostMs: 1_000 * Number(values.seconds),
      tell: (result) => {
        keep(folder, result)
        if (result.verdict !== 'killed') process.stdout.write(lineOf(result))
      },
    }),
  )
  await Promise.all(judges)
  return tellAll(folder)
}

/** The tests nearest to a mutant, of all, from what is known in a folder or else is learned first. */
async function nearestOfAll(reached: string): Promise<Nearest> {
  if (!existsSync(reached)) await learn(sources, mutants, reached)
  return createNearest(mutants, readReaches(reached, mutants))
}

function among(files: string[]): Nearest {
  return () => files.map((file) => ({ file, ms: 0, ids: [] }))
}

function tellAll(folder: string): boolean {
  const known = kept(folder)
  const results = mutants.flatMap((mutant) => known.get(keyOf(mutant)) ?? [])
  const unnoticed = results.filter(({ verdict }) => verdict !== 'killed')
  const unexplained = unnoticed.filter((result) => !explanations.has(keyOf(result)))
  process.stdout.write(
    `${results.length} of ${mutants.length} judged, ${unnoticed.length} not noticed, ${unexplained.length} of them not explained:\n`,
  )
  for (const result of unexplained) process.stdout.write(lineOf(result))
  const inVain = results.filter((result) => result.verdict === 'killed' && explanations.has(keyOf(result)))
  if (inVain.length > 0) process.stdout.write(`${inVain.length} noticed, and explained in vain:\n`)
  for (const result of inVain) process.stdout.write(lineOf(result))
  return unexplained.length === 0
}
