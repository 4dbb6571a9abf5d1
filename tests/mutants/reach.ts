import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyOf, type Mutant, type Mutation } from './mutations.ts'

/** What a test file ran of the code in which mutants are. */
export interface Reach {
  file: string
  ms: number
  /** Numbers of mutants. */
  ids: number[]
}

/**
 * The text of a source file, in which every place of a mutant notes that it was reached, in the set `globalThis.reached`, and
 * has the fault while `globalThis.mutant` is its number.
 */
export function withSwitches(text: string, mutants: readonly Mutant[]): string {
  const switches = mutants.flatMap((mutant) => {
    const { start, end } = mutant
    const length = end - start
    const [open, close] = switchOf(mutant)
    return [
      { at: start, length, insert: open },
      { at: end, length, insert: close },
    ]
  })
  // From the end, so that no place moves; where several begin the inner one first, to stand behind the others.
  const ordered = switches.toSorted((a, b) => b.at - a.at || a.length - b.length)
  return ordered.reduce((result, { at, insert }) => result.slice(0, at) + insert + result.slice(at), text)
}

/** What stands before and after what a mutant replaces, to have the one or the other. */
function switchOf({ id, kind, replacement }: Mutant): [before: string, after: string] {
  const noted = `globalThis.reached?.add(${id}),globalThis.mutant===${id}`
  const isOn = `(${noted})`
  switch (kind) {
    case 'value':
      return [`(${isOn}?(${replacement}):`, ')']
    // No brackets: they would begin with an argument of what stands in the line before.
    case 'statement':
      return [`${noted}?(${replacement}):`, '']
    // These are made once, at the start, and asked with each request.
    case 'rule':
      return [`((rule)=>(...call)=>${isOn}?undefined:rule(...call))(`, ')']
    case 'permission':
      return [
        `((own,other)=>({...own,middleware:(c,next)=>(${isOn}?other:own).middleware(c,next)}))(`,
        `,${replacement})`,
      ]
  }
}

/** The text of a source file with one fault in it. */
export function withMutation(text: string, { start, end, replacement }: Mutation): string {
  return text.slice(0, start) + replacement + text.slice(end)
}

/** Keeps which numbers mutants have in what a run of all tests writes to a folder; what is there goes if it had others. */
export function numberReaches(folder: string, mutants: readonly Mutant[]): void {
  const [path, numbers] = [join(folder, numbering), JSON.stringify(mutants.map(keyOf))]
  if (existsSync(path) && readFileSync(path, 'utf8') === numbers) return
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, numbers)
}

/** Reads what a run of all tests has written, of whichever of these mutants there were then. */
export function readReaches(folder: string, mutants: readonly Mutant[]): Reach[] {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const numbers = new Map(mutants.map((mutant) => [keyOf(mutant), mutant.id]))
  const known = (read(numbering) as string[]).map((key) => numbers.get(key))
  const reaches = readdirSync(folder).filter((name) => name !== numbering)
  return reaches.map((name) => {
    const reach = read(name) as Reach
    return { ...reach, ids: reach.ids.flatMap((id) => known[id] ?? []) }
  })
}

/** Finds the test files that reach a mutant, those first that are about its source file and take a short time. */
export type Nearest = (mutant: Mutant) => Reach[]

/** Makes what finds the tests near to a mutant. */
export function createNearest(mutants: readonly Mutant[], reaches: readonly Reach[]): Nearest {
  const files = new Map(mutants.map(({ id, file }) => [id, file]))
  const times = new Map<number, number>()
  for (const id of reaches.flatMap(({ ids }) => ids)) times.set(id, (times.get(id) ?? 0) + 1)
  // What all tests reach says nothing of what a test is about.
  const weight = (ids: readonly number[]) => ids.reduce((sum, id) => sum + 1 / (times.get(id) ?? 1), 0)
  const alike = createLikeness(reaches.map(({ file }) => file))
  const closeness = (source: string, { file, ids, ms }: Reach) => {
    const share = weight(ids.filter((id) => files.get(id) === source)) / (weight(ids) || 1)
    return (4 * share + alike(source, file)) / Math.sqrt(ms + importMs)
  }
  const orders = new Map<string, Reach[]>()
  return ({ id, file: source }) => {
    const order = orders.get(source) ?? reaches.toSorted((a, b) => closeness(source, b) - closeness(source, a))
    orders.set(source, order)
    const reaching = order.filter(({ ids }) => ids.includes(id))
    // What only a process reaches that a test has started is known by its name.
    return reaching.length > 0 ? reaching : order.filter(({ file }) => alike(source, file) > 0.5)
  }
}

/** The first of some test files, as far as they take no longer than `mostMs` together; the first one in any case. */
export function within(mostMs: number, reaches: readonly Reach[]): string[] {
  let ms = 0
  return reaches.filter((reach, i) => (ms += reach.ms + importMs) <= mostMs || i === 0).map(({ file }) => file)
}

/** Makes what tells how much of the name of a source file is in that of a test file, 0 to 1: words that few have count most. */
function createLikeness(tests: readonly string[]): (source: string, test: string) => number {
  const times = new Map<string, number>()
  for (const word of tests.flatMap((test) => [...wordsOf(test)])) times.set(word, (times.get(word) ?? 0) + 1)
  const weight = (words: string[]) => words.reduce((sum, word) => sum + 1 / (times.get(word) ?? 1), 0)
  return (source, test) => {
    const words = [...wordsOf(source)].filter((word) => times.has(word))
    return words.length === 0 ? 0 : weight(words.filter((word) => wordsOf(test).has(word))) / weight(words)
  }
}

/** The words of a path, in the singular. */
function wordsOf(path: string): Set<string> {
  const words = path
    .replace(/^(src|tests)\//, '')
    .replace(/\..*/, '')
    .split(/[/-]/)
  return new Set(words.map((word) => word.replace(/s$/, '')))
}

const numbering = 'mutants.json'

/** What each file takes before its first test. */
const importMs = 5_000
