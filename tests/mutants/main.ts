import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { explanations } from './explained.ts'
import { judge, learn } from './judge.ts'
import { mutantsOf } from './mutations.ts'
import { readReaches } from './reach.ts'
import { keep, kept, keyOf, lineOf, resultOf } from './results.ts'

// Whether the tests notice faults in what guards: `npm run mutants -- [part of a path …]`. All tests are run once to learn
// which of them reach what; then each mutant meets those nearest to it, until one fails. What is known stays in a folder,
// so that a run that was interrupted goes on.
const { values, positionals } = parseArgs({
  options: {
    folder: { type: 'string', default: 'mutants' },
    workers: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '60' },
    list: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

// The rest of `src` is held by what it does.
const guarding = /^src\/(auth\/.*\.ts|http\/.*\.ts|.*\.routes\.tsx?)$/
const paths = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((name) => `src/${name}`)
const names = paths.filter((path) => guarding.test(path)).toSorted()
const sources = names.map((name) => ({ name, text: readFileSync(name, 'utf8') }))
const mutants = mutantsOf(sources)
const asked = mutants.filter(({ file }) => positionals.length === 0 || positionals.some((part) => file.includes(part)))

if (values.list) for (const mutant of asked) process.stdout.write(lineOf(resultOf(mutant, 'not reached')))
else process.exitCode = (await judgeAll(resolve(values.folder))) ? 0 : 1

/** Judges what has not been judged yet. Returns whether each mutant was noticed, or its survival is explained. */
async function judgeAll(folder: string): Promise<boolean> {
  const reached = join(folder, 'reached')
  if (!existsSync(reached)) await learn(sources, mutants, reached)
  const reaches = readReaches(reached)
  const known = new Set(kept(folder).map(keyOf))
  const left = asked.filter((mutant) => !known.has(keyOf(resultOf(mutant, 'killed'))))
  process.stdout.write(`${asked.length} mutants, ${left.length} of them to be judged\n`)
  const mostMs = 1_000 * Number(values.seconds)
  const judges = Array.from({ length: Number(values.workers) }, () =>
    judge({
      left,
      reaches,
      mostMs,
      tell: (result) => {
        keep(folder, result)
        if (result.verdict !== 'killed') process.stdout.write(lineOf(result))
      },
    }),
  )
  await Promise.all(judges)
  return tellAll(folder)
}

function tellAll(folder: string): boolean {
  const results = kept(folder)
  const unnoticed = results.filter(({ verdict }) => verdict !== 'killed')
  const unexplained = unnoticed.filter((result) => !explanations.has(keyOf(result)))
  process.stdout.write(
    `${results.length} judged, ${unnoticed.length} not noticed, ${unexplained.length} of them not explained:\n`,
  )
  for (const result of unexplained) process.stdout.write(lineOf(result))
  return unexplained.length === 0
}
