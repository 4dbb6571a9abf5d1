import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { beforeAll, expect, onTestFinished } from 'vitest'

/** The service as a process of its own. */
export interface ServiceProcess {
  pid: number
  /** What it has written so far, both streams. */
  output: () => string
  /** Its log lines so far. */
  log: () => Record<string, unknown>[]
  kill: (signal: NodeJS.Signals) => void
  /** Waits for its end. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Waits until it takes requests, and returns the URL it calls itself. */
  ready: () => Promise<string>
}

/** The service, built into a folder with spaces in its name for the tests of this file. */
export function buildService(): string {
  const built = process.env['BUILT_SERVICE']
  if (built) return built
  const root = join(tmpdir(), `latchkey build with spaces ${randomUUID()}`)
  // In a hook: a file whose tests are all skipped runs none of them, and would leave the folder behind.
  beforeAll(() => {
    mkdirSync(root)
    buildInto(root)
    return () => rmSync(root, { recursive: true, force: true })
  })
  return root
}

/** Builds the service into a folder, as it is deployed. */
export function buildInto(root: string): void {
  for (const name of ['node_modules', 'migrations', 'package.json']) symlinkSync(resolve(name), join(root, name))
  const options = [
    '-p',
    'tsconfig.build.json',
    '--outDir',
    join(root, 'dist'),
    '--incremental',
    'false',
    '--tsBuildInfoFile',
    'null',
  ]
  execFileSync('node_modules/.bin/tsc', options, { stdio: 'inherit' })
  execFileSync(process.execPath, [join(root, 'dist/src/reference/copy-assets.js')], { stdio: 'inherit' })
}

/** The variables of a process of the service: these and no others, but for those of measuring its coverage. */
export function processEnv(env: Record<string, string>): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], NODE_V8_COVERAGE: process.env['CHILD_COVERAGE'], ...env }
}

/** Starts a built service with these variables and no others, and kills it when the test ends. */
export function startProcess(
  root: string,
  env: Record<string, string>,
  args: string[] = [],
  dotenv?: string,
): ServiceProcess {
  // An empty folder: there is no .data, and no .env but the one asked for.
  const cwd = mkdtempSync(join(tmpdir(), 'latchkey-cwd-'))
  if (dotenv !== undefined) writeFileSync(join(cwd, '.env'), dotenv)
  // Before the process is started: what is to be done last is asked for first.
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  return startProgram([process.execPath, join(root, 'dist/src/main.js'), ...args], env, cwd)
}

/** Starts a program that is or runs the service, in a folder, and kills it when the test ends, or the tests of the file. */
export function startProgram(
  [file = '', ...args]: string[],
  env: Record<string, string>,
  cwd: string,
  whenDone: (stop: () => Promise<void>) => void = onTestFinished,
): ServiceProcess {
  const child = spawn(file, args, { cwd, env: processEnv(env), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  // When its streams are read to their end, not only when it ended.
  const exited = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }))
  whenDone(async () => {
    // Only a process that ends by itself tells what it has reached.
    child.kill(process.env['CHILD_COVERAGE'] ? 'SIGINT' : 'SIGKILL')
    await exited
  })
  const log = () =>
    output
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return {
    pid: child.pid ?? 0,
    output: () => output,
    log,
    kill: (signal) => child.kill(signal),
    exited,
    async ready() {
      const line = () => {
        if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}:\n${output}`)
        return log().find(({ msg }) => msg === 'ready')
      }
      await expect.poll(line, { timeout: 50_000, interval: 25 }).toBeDefined()
      return String(line()?.['url'])
    },
  }
}

/** The status that a URL answers with; undefined when nobody answers. */
export async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, { headers: { connection: 'close' } })
    await response.body?.cancel()
    return response.status
  } catch {
    return undefined
  }
}
