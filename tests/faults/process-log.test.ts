import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { keepAsking, statusAt } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { buildService, processEnv } from '../support/service-process.ts'
import { canMount, mountMemory } from '../support/small-disk.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()

/** A service on an embedded database whose standard output is what a shell makes of it. */
async function startInShell(redirection: string) {
  const folder = join(tmpdir(), `latchkey-log-${randomUUID()}`)
  mkdirSync(folder)
  const port = String(await freePort())
  const env = processEnv({ DATA_DIR: join(folder, 'data'), PORT: port, RATE_LIMIT: '0' })
  const command = `"$0" "$1" ${redirection}`
  const shell = spawn('sh', ['-c', `exec ${command}`, process.execPath, join(root, 'dist/src/main.js')], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(shell, 'exit')
  onTestFinished(async () => {
    shell.kill('SIGKILL')
    await exited
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  await expect.poll(() => statusAt(`${url}/health/ready`).catch(() => 0), { timeout: 60_000 }).toBe(200)
  return { shell, url, exited, rss: () => residentBytes(shell.pid ?? 0) }
}

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * 4_096
}

test('R-50 while nobody reads the log the service goes on, in bounded memory, tells of the loss, and ends', {
  timeout: 400_000,
}, async () => {
  // Of a pipe that a process holds open and does not read, as one that is stopped does.
  const { shell, url, exited, rss } = await startInShell('')
  shell.stdout.pause()
  const before = rss()
  // Some 200 bytes each: more than is kept. Of questions about health not each has a line.
  const requests = 60_000
  let asked = 0
  const load = keepAsking(32, [
    async () => {
      asked++
      return statusAt(`${url}/assets/logo.svg`)
    },
  ])
  await expect.poll(() => asked, { timeout: 300_000 }).toBeGreaterThan(requests)
  const outcomes = Object.fromEntries(await load.stop())
  expect(Object.keys(outcomes)).toEqual(['200'])
  tellFigures('R-50', { outcomes, moreMb: (rss() - before) / 1e6 })
  expect(rss() - before).toBeLessThan(150e6)

  let log = ''
  shell.stdout.resume()
  shell.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  await expect.poll(() => log, { timeout: 20_000 }).toContain('lines of the log were lost')
  for (const line of log.split('\n').slice(0, -1)) JSON.parse(line)

  // Nor is it kept from ending.
  shell.stdout.pause()
  for (let i = 0; i < 1_000; i++) await statusAt(`${url}/assets/logo.svg`)
  shell.kill('SIGINT')
  expect(await exited).toEqual([0, null])
})

test.skipIf(!canMount)(
  'R-26 while the disk of the log is full the service goes on, and writes again later (needs mount)',
  async () => {
    const disk = mountMemory('1m')
    const file = join(disk.folder, 'log')
    const { shell, url, exited } = await startInShell(`> '${file}'`)
    disk.fill()
    const load = keepAsking(8, [() => statusAt(`${url}/health/db`)])
    await expect.poll(() => load.outcomes.get('200'), { timeout: 30_000 }).toBeGreaterThan(1_000)
    expect([...(await load.stop()).keys()]).toEqual(['200'])

    const full = statSync(file).size
    disk.free()
    await expect
      .poll(async () => (await statusAt(`${url}/health`)) && statSync(file).size, { timeout: 20_000 })
      .toBeGreaterThan(full)
    disk.fill()
    shell.kill('SIGINT')
    expect(await exited).toEqual([0, null])
  },
)
