import { execFile } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Job, Load } from './job.ts'

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))

/** Whether wrk is on this machine: it takes a third of the processor that a generator in JavaScript does. */
export const hasWrk = (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'wrk'), constants.X_OK)
    return true
  } catch {
    return false
  }
})

/** @throws Error when anything was not answered as expected */
export async function runWrk(job: Job): Promise<Load> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-wrk-'))
  try {
    const file = join(folder, 'requests')
    writeFileSync(file, job.shots.map((shot) => `${raw(job, shot)}\0`).join(''))
    const load = ['-t1', `-c${job.connections}`, `-d${job.seconds}s`, '--timeout', '60s', '-s', script]
    const { stdout } = await promisify(execFile)('wrk', [...load, job.url, '--', file])
    const line = stdout.split('\n').find((text) => text.startsWith('{')) ?? '{}'
    const { failed, refused, ...result } = JSON.parse(line) as Load & { failed: number; refused: number }
    // wrk counts what is 400 or more.
    const unexpected = job.expect >= 400 ? result.requests - refused : refused
    if (failed + unexpected > 0) {
      throw new Error(`${failed} errors, ${unexpected} of ${result.requests} answered otherwise than ${job.expect}`)
    }
    return result
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function raw({ url, method, body }: Job, { path, headers }: Job['shots'][number]): string {
  const all = {
    host: new URL(url).host,
    ...headers,
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`
}
