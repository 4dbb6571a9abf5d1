import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { DirectoryInUseError, lockDirectory } from '../../src/db/directory-lock.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'latchkey-lock-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The lock of this process. */
async function ownLock(): Promise<Record<string, unknown>> {
  const directory = folder()
  const lock = await lockDirectory(directory)
  const content = readFileSync(join(directory, 'lock'), 'utf8')
  await lock.release()
  return JSON.parse(content) as Record<string, unknown>
}

const own = { pid: process.pid, host: hostname() }
const taken = { owner: expect.objectContaining(own) as unknown, left: [] }

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid ?? 0
}

/** Who holds the directory once this process has taken it, and what is left of that when it is released. */
async function takeOver(directory: string): Promise<{ owner: unknown; left: string[] }> {
  const lock = await lockDirectory(directory)
  const owner: unknown = JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))
  await lock.release()
  return { owner, left: readdirSync(directory) }
}

test('R-28 the lock of a directory is refused to whoever comes second, naming the first', async () => {
  const directory = folder()
  const lock = await lockDirectory(directory)

  await expect(lockDirectory(directory)).rejects.toThrow(DirectoryInUseError)
  await expect(lockDirectory(directory)).rejects.toThrow(`is in use by process ${process.pid} on ${hostname()}`)

  await lock.release()
  expect(await takeOver(directory)).toEqual(taken)
})

test('R-28 the lock of a process that is gone is taken over', async () => {
  const directory = folder()
  writeFileSync(join(directory, 'lock'), JSON.stringify({ ...(await ownLock()), pid: await deadPid() }))
  expect(await takeOver(directory)).toEqual(taken)
})

test('the lock of an earlier process with this pid is taken over', async () => {
  const directory = folder()
  writeFileSync(join(directory, 'lock'), JSON.stringify({ ...(await ownLock()), startedAt: '1' }))
  expect(await takeOver(directory)).toEqual(taken)
})

test.each(['', 'garbage', '{"pid":', 'null', '[]', '{"pid":"1"}'])(
  'a lock that holds %j is taken over',
  async (content) => {
    const directory = folder()
    writeFileSync(join(directory, 'lock'), content)
    expect(await takeOver(directory)).toEqual(taken)
  },
)

test('a stale lock that another process is taking over is waited for', async () => {
  const directory = folder()
  const next = join(directory, 'lock.next')
  writeFileSync(join(directory, 'lock'), 'stale')
  writeFileSync(next, JSON.stringify({ pid: 1, host: 'another-host', startedAt: '1' }))

  let isTaken = false
  const lock = lockDirectory(directory).finally(() => {
    isTaken = true
  })
  await pause(100)
  expect(isTaken).toBe(false)

  rmSync(next)
  await (await lock).release()
})

test('a lock that cannot be read is not taken for none', async () => {
  const directory = folder()
  mkdirSync(join(directory, 'lock'))

  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'EISDIR' })
})

test.each([
  ['on another host', 'another-host', ''],
  ['in another container of the same name', hostname(), 'another'],
])(
  'the lock of a process %s is respected while it is touched, and taken over once it is silent',
  async (_w, host, space) => {
    const directory = folder()
    const path = join(directory, 'lock')
    // A pid of which there is none here.
    writeFileSync(path, JSON.stringify({ pid: await deadPid(), host, space, startedAt: '1' }))
    const touching = setInterval(() => utimesSync(path, new Date(), new Date()), 100)

    await expect(lockDirectory(directory)).rejects.toThrow(` on ${host}`)

    clearInterval(touching)
    const silentSince = new Date(Date.now() - 11_000)
    utimesSync(path, silentSince, silentSince)
    expect(await takeOver(directory)).toEqual(taken)
  },
)

test('R-28 a stale lock goes to one of several processes that find it at once', async () => {
  const directories = Array.from({ length: 100 }, () => folder())
  for (const directory of directories) writeFileSync(join(directory, 'lock'), 'stale')
  const module = new URL('../../src/db/directory-lock.ts', import.meta.url).href
  const script = `
    const { lockDirectory } = await import(${JSON.stringify(module)})
    const [at, ...directories] = process.argv.slice(1)
    for (const [i, directory] of directories.entries()) {
      await new Promise((resolve) => setTimeout(resolve, Number(at) + 10 * i - Date.now()))
      await lockDirectory(directory).then(() => console.log(directory), () => {})
    }
    console.log('done')
    setInterval(() => {}, 1_000)`
  const at = String(Date.now() + 5_000)
  const racers = Array.from({ length: 6 }, () => {
    const options = ['--import', 'tsx', '--input-type=module', '-e', script, at, ...directories]
    const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return () => output.trim().split('\n')
  })

  await expect.poll(() => racers.every((lines) => lines().at(-1) === 'done'), { timeout: 20_000 }).toBe(true)

  const winners = racers.flatMap((lines) => lines()).filter((line) => line !== 'done')
  expect(winners.sort()).toEqual(directories.sort())
})
