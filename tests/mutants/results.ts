import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyOf, type Mutant } from './mutations.ts'

/** What became of a mutant: a test failed, none did, or none came to where it is. */
export type Verdict = 'killed' | 'survived' | 'not reached'

/** A mutant with its verdict. */
export interface Result {
  file: string
  line: number
  words: string
  verdict: Verdict
  /** The test that failed; undefined where none did, or the tests did not end. */
  by?: string
}

/** A result of a mutant. */
export function resultOf({ file, line, words }: Mutant, verdict: Verdict, by?: string): Result {
  return { file, line, words, verdict, ...(by !== undefined && { by }) }
}

/** One line for people. */
export function lineOf({ file, line, words, verdict }: Result): string {
  return `${verdict}  ${file}:${line}  ${words}\n`
}

/** Adds a result to those in a folder. */
export function keep(folder: string, result: Result): void {
  appendFileSync(pathIn(folder), `${JSON.stringify(result)}\n`)
}

/** The last results in a folder by the names of their mutants, of this run and of those before it. */
export function kept(folder: string): Map<string, Result> {
  if (!existsSync(pathIn(folder))) return new Map()
  const lines = readFileSync(pathIn(folder), 'utf8').trim().split('\n')
  const results = lines.map((line) => JSON.parse(line) as Result)
  return new Map(results.map((result) => [keyOf(result), result]))
}

function pathIn(folder: string): string {
  return join(folder, 'results.jsonl')
}
