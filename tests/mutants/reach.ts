import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant, Mutation } from './mutations.ts'

/** What a test file ran of the code in which mutants are. */
export interface Reach {
  file: string
  ms: number
  /** Numbers of mutants. */
  ids: number[]
}

/** The text of a source file, in which every place of a mutant notes that it was reached. */
export function withProbes(text: string, mutants: readonly Mutant[]): string {
  const probes = mutants.flatMap(({ id, mutation: { start, end, isStatement } }) => {
    const length = end - start
    const [open, close] = isStatement ? ['', ''] : ['(', ')']
    return [
      { at: start, length, insert: `${open}globalThis.reached?.add(${id}),` },
      { at: end, length, insert: close },
    ]
  })
  // From the end, so that no place moves; where several begin the inner one first, to stand behind the others.
  const ordered = probes.toSorted((a, b) => b.at - a.at || a.length - b.length)
  return ordered.reduce((result, { at, insert }) => result.slice(0, at) + insert + result.slice(at), text)
}

/** The text of a source file with one fault in it. */
export function withMutation(text: string, { start, end, replacement }: Mutation): string {
  return text.slice(0, start) + replacement + text.slice(end)
}

/** Reads what a run of all tests has written. */
export function readReaches(folder: string): Reach[] {
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Reach)
}

/**
 * The test files that reach a mutant, those first that reach few others and take a short time, as far as they take no longer
 * than `mostMs` together; the first one in any case.
 */
export function nearest(id: number, reaches: readonly Reach[], mostMs: number): string[] {
  const reaching = reaches
    .filter(({ ids }) => ids.includes(id))
    .toSorted((a, b) => a.ids.length * (a.ms + importMs) - b.ids.length * (b.ms + importMs))
  let ms = 0
  return reaching.filter((reach, i) => (ms += reach.ms + importMs) <= mostMs || i === 0).map(({ file }) => file)
}

/** What each file takes before its first test. */
const importMs = 5_000
