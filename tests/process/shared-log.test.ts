import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { buildService, processEnv } from '../support/service-process.ts'

const root = buildService()
const linesEach = 600

/** What three processes of the service write into one pipe, whose reader is slower than they are. */
async function writtenByThree(): Promise<string> {
  const script = `
    import { createSharedLog } from ${JSON.stringify(pathToFileURL(join(root, 'dist/src/log.js')).href)}
    const log = createSharedLog('info')
    for (let i = 0; i < ${linesEach}; i++) {
      const length = i % 10 === 0 ? 9_000 : (i * i) % 700
      log.info({ i, err: new Error('é'.repeat(length)), text: 'é'.repeat(length) }, 'line')
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }`
  const writer = '"$0" --input-type=module -e "$1"'
  // Node's own "pipe" to a child is a socket, which behaves better.
  const shell = spawn('sh', ['-c', `(${writer} & ${writer} & ${writer} & wait) | cat`, process.execPath, script], {
    env: processEnv({}),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void shell.kill())
  const ended = once(shell, 'close')
  let output = ''
  shell.stdout.setEncoding('utf8')
  for await (const chunk of shell.stdout) {
    output += String(chunk)
    await pause(40)
  }
  expect(await ended).toEqual([0, null])
  return output
}

test('no line of one process is torn by another, however long it is and however slow who reads them', async () => {
  const lines = (await writtenByThree()).trimEnd().split('\n')

  const parsed = lines.map((line) => JSON.parse(line) as { pid: number; i: number; msg: string; text: string })
  const all = Array.from({ length: linesEach }, (_, i) => i)
  const pids = [...new Set(parsed.map(({ pid }) => pid))]
  const numbers = pids.map((pid) => parsed.filter((line) => line.pid === pid).map(({ i }) => i))
  expect(numbers).toEqual([all, all, all])
  expect(lines.filter((line) => Buffer.byteLength(`${line}\n`) > 4_096)).toEqual([])
  expect(parsed.find(({ i }) => i === 11)).toMatchObject({ msg: 'line', text: 'é'.repeat(121) })
  expect(parsed.find(({ i }) => i === 10)?.text).toMatch(/^é{500,}…$/)
})
