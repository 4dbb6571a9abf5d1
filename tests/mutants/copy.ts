import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startPostgres } from '../support/throwaway-postgres.ts'
import type { Mutant, Source } from './mutations.ts'
import { withSwitches } from './reach.ts'

/** A copy of the project to try mutants in: the processes that tests start run them, too. */
export interface Copy {
  /** Replaces the text of a source file, whose types are not checked from then on: no fault is to be found by those. */
  write: (file: string, text: string) => void
  /** Puts the original back. */
  restore: (file: string) => void
  /** Runs test files; all where none is named. Returns whether they passed within `mostMs`, and their last output. */
  test: (files: readonly string[], options: TestOptions) => Promise<{ passed: boolean; output: string }>
  remove: () => void
}

interface TestOptions {
  env: Record<string, string>
  mostMs: number
  args?: readonly string[]
}

/** Does some work on a copy and a database server of its own. */
export async function inCopy(work: (copy: Copy, url: string) => Promise<void>): Promise<void> {
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

/** Writes switches for all mutants into a copy. */
export function writeSwitches(copy: Copy, sources: readonly Source[], mutants: readonly Mutant[]): void {
  for (const { name, text } of sources) {
    const own = mutants.filter(({ file }) => file === name)
    copy.write(name, withSwitches(text, own))
  }
}

/** Copies what git keeps, or would keep, of the project into a temporary folder. */
function makeCopy(): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-mutants-'))
  const list = ['ls-files', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', list, { encoding: 'utf8' }).trim().split('\n')
  for (const file of files) cpSync(file, join(folder, file))
  for (const modules of ['node_modules', 'tests/clients/node_modules']) {
    symlinkSync(resolve(modules), join(folder, modules))
  }
  return {
    write: (file, text) => writeFileSync(join(folder, file), `// @ts-nocheck\n${text}`),
    restore: (file) => writeFileSync(join(folder, file), readFileSync(file)),
    test: (named, options) => run(folder, named, options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function run(folder: string, named: readonly string[], { env, mostMs, args = [] }: TestOptions) {
  const program = resolve('node_modules/vitest/vitest.mjs')
  const all = [program, 'run', '--config', 'vitest.mutants.config.ts', '--no-color', ...args, ...named]
  // A group of its own, so that what a test has started ends with it.
  const child = spawn(process.execPath, all, { cwd: folder, env: { ...process.env, ...env }, detached: true })
  let output = ''
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-100_000))
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const limit = setTimeout(() => end(child), mostMs)
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(limit)
  end(child)
  return { passed: code === 0, output }
}

function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
