import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Copy } from './copy.ts'
import { inCopy, writeSwitches } from './judge.ts'
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
  await inCopy(async (copy, url) => {
    writeSwitches(copy, sources, mutants)
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [file, near] = next
      const toTry = new Map(near.filter((mutant) => left.has(mutant)).map((mutant) => [mutant.id, mutant]))
      const count = toTry.size
      const [met, spoiling] = [new Set<number>(), new Set<number>()]
      for (let run = 0; run < mostRuns && toTry.size > 0; run++) {
        const told = await tried([...toTry.keys()], file, copy, url)
        for (const { id, what, by = '' } of told) {
          const mutant = toTry.get(id)
          if (what === 'trying') met.add(id)
          if (what === 'spoilt') spoiling.add(id)
          if (what !== 'killed' || !mutant) continue
          toTry.delete(id)
          left.delete(mutant)
          tell(mutant, by)
        }
        const last = told.at(-1)
        if (!last) break
        if (last.what === 'trying') spoiling.add(last.id)
        else if (!told.some(({ what }) => what === 'spoilt')) break
        for (const id of spoiling) toTry.delete(id)
      }
      const killed = near.filter((mutant) => !left.has(mutant)).length - (near.length - count)
      process.stdout.write(`${file}: of ${count} ${met.size} met, ${killed} killed, ${spoiling.size} spoil it\n`)
    }
  })
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
