import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Copy, inCopy, writeSwitches } from './copy.ts'
import type { Mutant, Source } from './mutations.ts'
import type { Nearest } from './reach.ts'
import type { Told } from './switching.runner.ts'

interface Looking {
  sources: readonly Source[]
  mutants: readonly Mutant[]
  /** Mutants to be killed. Those that are go from it. */
  left: Set<Mutant>
  nearest: Nearest
  workers: number
  tell: (mutant: Mutant, by: string) => void
}

/** How many test files each mutant meets, round by round. */
const rounds = [1, 2, 4, 8]
/** How often the tests of a file are run again without a mutant that spoils them. */
const mostRuns = 6
const mostMs = 900_000

/**
 * Kills mutants by switching them on one after the other in processes that stay, test by test. What is left after it may be
 * noticed by tests that cannot be repeated, or before any test.
 */
export async function killQuickly(looking: Looking): Promise<void> {
  let from = 0
  for (const count of rounds) {
    const near = new Map<string, Mutant[]>()
    for (const mutant of looking.left) {
      for (const { file } of looking.nearest(mutant).slice(from, from + count)) {
        near.set(file, [...(near.get(file) ?? []), mutant])
      }
    }
    from += count
    const queue = [...near].toSorted(([, a], [, b]) => b.length - a.length)
    process.stdout.write(`${looking.left.size} left to be tried by ${queue.length} files\n`)
    await Promise.all(Array.from({ length: looking.workers }, () => work(queue, looking)))
  }
}

async function work(queue: [file: string, mutants: Mutant[]][], { sources, mutants, left, tell }: Looking) {
  const kill = (mutant: Mutant, by: string) => {
    left.delete(mutant)
    tell(mutant, by)
  }
  await inCopy(async (copy, url) => {
    writeSwitches(copy, sources, mutants)
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [file, near] = next
      const toTry = near.filter((mutant) => left.has(mutant))
      const [met, killed, spoiling] = await tryAll(toTry, (ids) => tried(ids, file, copy, url), kill)
      process.stdout.write(`${file}: of ${toTry.length} ${met} met, ${killed} killed, ${spoiling} spoil it\n`)
    }
  })
}

/** Tries mutants with the tests of a file; once more without those that spoilt them. Returns how many there were of each. */
async function tryAll(
  mutants: readonly Mutant[],
  run: (ids: number[]) => Promise<Told[]>,
  kill: (mutant: Mutant, by: string) => void,
): Promise<[met: number, killed: number, spoiling: number]> {
  const toTry = new Map(mutants.map((mutant) => [mutant.id, mutant]))
  const [met, killed, spoiling] = [new Set<number>(), new Set<number>(), new Set<number>()]
  for (let runs = 0; runs < mostRuns && toTry.size > 0; runs++) {
    const told = await run([...toTry.keys()])
    for (const { id, what, by = '' } of told) {
      const mutant = toTry.get(id)
      if (what === 'trying') met.add(id)
      if (what === 'spoilt') spoiling.add(id)
      if (what !== 'killed' || !mutant) continue
      killed.add(id)
      kill(mutant, by)
    }
    const last = told.at(-1)
    // No test of the file came to an end any more.
    if (last?.what === 'trying') spoiling.add(last.id)
    if (last?.what !== 'trying' && !told.some(({ what }) => what === 'spoilt')) break
    for (const id of [...killed, ...spoiling]) toTry.delete(id)
  }
  return [met.size, killed.size, spoiling.size]
}

/** What a run of a test file tells of mutants. */
async function tried(ids: number[], file: string, copy: Copy, url: string): Promise<Told[]> {
  const list = join(tmpdir(), `latchkey-mutants-${process.pid}-${ids[0]}-${file.replaceAll('/', '+')}.json`)
  writeFileSync(list, JSON.stringify(ids))
  try {
    const env = { TEST_DATABASE_URL: url, MUTANTS_SWITCHED: list }
    await copy.test([file], { env, mostMs, args: ['--testTimeout=10000', '--hookTimeout=20000'] })
    const told = `${list}.told`
    if (!existsSync(told)) return []
    const lines = readFileSync(told, 'utf8').trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Told)
  } finally {
    rmSync(list, { force: true })
    rmSync(`${list}.told`, { force: true })
  }
}
