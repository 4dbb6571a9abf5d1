import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** A server in a process of its own. */
export interface ServerProcess {
  url: string
  pid: number
  /** From the start of the process until it was ready. */
  readyMs: number
  stop: () => Promise<void>
}

interface Program {
  /** The arguments of node. */
  args: string[]
  env: Record<string, string>
  port: number
  /** Answers 200 once the server is ready. */
  healthPath: string
}

const startupMs = 60_000
const stopMs = 20_000
const ticksPerSecond = 100

/**
 * Starts a Node program and waits until it answers.
 * @throws Error with what it wrote to stderr, when it ends instead
 */
export async function startServer({ args, env, port, healthPath }: Program): Promise<ServerProcess> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  })
  // A log is read, as whoever runs a container does.
  child.stdout.resume()
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2_000)
  })
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.kill('SIGINT')
    const limit = setTimeout(() => child.kill('SIGKILL'), stopMs)
    await exited
    clearTimeout(limit)
  }
  const deadline = startedAt + startupMs
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    const response = await fetch(`${url}${healthPath}`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok && child.pid !== undefined)
      return { url, pid: child.pid, readyMs: performance.now() - startedAt, stop }
    await pause(10)
  }
  const ended = child.exitCode ?? child.signalCode
  await stop()
  throw new Error(ended === null ? `${args.at(-1)} does not answer` : `${args.at(-1)} ended with ${ended}: ${errors}`)
}

/** A process and its children, and theirs. */
export function processTree(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(processTree)]
  } catch {
    return [pid]
  }
}

/** The processor time that a process and its children have used; not a number where the system does not tell. */
export function cpuSeconds(pid: number): number {
  const seconds = processTree(pid).map((each) => {
    try {
      const fields = readFileSync(`/proc/${each}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    } catch {
      return Number.NaN
    }
  })
  return seconds.reduce((sum, each) => sum + each, 0)
}

/** Waits, for half a minute at most, until a process has nothing left to do. */
export async function untilIdle(pid: number): Promise<void> {
  const sampleMs = 300
  for (let waited = 0; waited < 30_000; waited += sampleMs) {
    const before = cpuSeconds(pid)
    await pause(sampleMs)
    const used = cpuSeconds(pid) - before
    if (!(used > 0.03)) return
  }
}

/** Memory of a process in MB: what is resident now, and the most that ever was. Not numbers where the system does not tell. */
export function memory(pid: number): { residentMb: number; peakMb: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const mb = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024
    return { residentMb: mb('VmRSS'), peakMb: mb('VmHWM') }
  } catch {
    return { residentMb: Number.NaN, peakMb: Number.NaN }
  }
}
