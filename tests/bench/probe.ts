import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** How late the event loop of a process was. */
export interface LoopDelay {
  p50Ms: number
  p99Ms: number
  maxMs: number
}

/** Asks a process for the delay of its event loop. */
export interface Probe {
  /** What starts a process with the probe in it. */
  nodeFlags: string[]
  env: Record<string, string>
  /** The delay since this was last asked. */
  read: (pid: number) => Promise<LoopDelay>
  remove: () => void
}

const answerMs = 20_000

export function createProbe(): Probe {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-probe-'))
  return {
    nodeFlags: ['--import', new URL('probe.mjs', import.meta.url).href],
    env: { BENCH_PROBE: folder },
    async read(pid) {
      const file = join(folder, `${pid}.json`)
      rmSync(file, { force: true })
      process.kill(pid, 'SIGUSR2')
      const deadline = performance.now() + answerMs
      for (;;) {
        try {
          return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay
        } catch (error) {
          if (performance.now() > deadline) throw error
          await pause(5)
        }
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
