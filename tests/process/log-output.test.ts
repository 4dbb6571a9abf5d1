import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { buildService, processEnv } from '../support/service-process.ts'

const root = buildService()

/** A process that writes `lines` of a thousand characters to its log, and says on standard error what becomes of them. */
function startWriting(
  lines: number,
  stdout: 'pipe' | number,
  then: string,
): { child: ChildProcess; said: () => string } {
  const program = `
    const { openLogOutput } = await import(${urlOf('log-output.js')})
    const log = openLogOutput()
    log.onLoss((lost) => console.error('lost', lost))
    const write = (from) => { for (let i = from; i < from + ${lines}; i++) log.write(String(i).padEnd(999, '.') + '\\n') }
    write(0)
    ${then}`
  return start(program, stdout)
}

const urlOf = (file: string) => JSON.stringify(pathToFileURL(join(root, 'dist/src', file)).href)

/** A process that runs a module, and what it says on standard error. */
function start(program: string, stdout: 'pipe' | number): { child: ChildProcess; said: () => string } {
  const args = ['--input-type=module', '--eval', program]
  const child = spawn(process.execPath, args, { env: processEnv({}), stdio: ['pipe', stdout, 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return { child, said: () => text }
}

/** The end of a process whose output is read to its end. */
async function ended(child: ChildProcess): Promise<unknown> {
  const [code] = (await once(child, 'close')) as [unknown]
  return code
}

test('of what nobody reads eight megabytes wait whole, and how many lines were lost is told', async () => {
  const { child, said } = startWriting(20_000, 'pipe', `process.stdin.on('end', () => log.flushSync()).resume()`)
  let read = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    read += chunk
  })

  await expect.poll(said, { timeout: 20_000 }).toMatch(/^lost \d+\n$/)
  child.stdin?.end()
  expect(await ended(child)).toBe(0)

  const lines = read.split('\n').slice(0, -1)
  expect(lines.every((line) => line.length === 999)).toBe(true)
  expect(lines.length * 1_000).toBeGreaterThan(7.9e6)
  expect(lines.length + Number(said().split(' ')[1])).toBe(20_000)
})

test('that lines were lost is told where the log is for errors only', async () => {
  const program = `
    const { createLog } = await import(${urlOf('log.js')})
    const log = createLog('error')
    for (let i = 0; i < 20_000; i++) log.error('.'.repeat(900))`
  const { child } = start(program, 'pipe')
  let read = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    read += chunk
  })

  expect(await ended(child)).toBe(0)
  expect(read).toContain('lines of the log were lost')
})

test('whoever reads none of it does not keep the process from ending', async () => {
  const { child, said } = startWriting(2_000, 'pipe', `log.flushSync(); console.error('flushed'); process.exit(0)`)
  // Nobody listens: a pipe holds some tens of thousands of characters.

  await expect.poll(said, { timeout: 20_000 }).toBe('flushed\n')
  child.stdout?.resume()
  expect(await ended(child)).toBe(0)
})

test('a disk that takes nothing does not, either', async () => {
  const full = openSync('/dev/full', 'w')
  const { child, said } = startWriting(
    100,
    full,
    `setTimeout(() => { write(100); log.flushSync(); console.error('flushed'); process.exit(0) }, 500)`,
  )
  closeSync(full)

  expect(await ended(child)).toBe(0)
  expect(said()).toBe('flushed\n')
})

test('a file has every line when the process has ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'log')
  const file = openSync(path, 'w')
  const { child } = startWriting(1_000, file, 'log.flushSync(); process.exit(0)')
  closeSync(file)

  expect(await ended(child)).toBe(0)
  expect(readFileSync(path, 'utf8').split('\n').slice(0, -1)).toHaveLength(1_000)
})
