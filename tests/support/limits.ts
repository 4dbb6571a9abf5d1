import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Lets a process run for a share of the time only, as one that a container gives little of the processor. */
export function throttle(pid: number, share: number): () => void {
  const periodMs = 50
  let isRunning = true
  const timers = new Set<NodeJS.Timeout>()
  const signal = (name: NodeJS.Signals) => isRunning && process.kill(pid, name)
  const turn = setInterval(() => {
    signal('SIGCONT')
    const timer = setTimeout(() => {
      timers.delete(timer)
      signal('SIGSTOP')
    }, periodMs * share)
    timers.add(timer)
  }, periodMs)
  const end = () => {
    if (!isRunning) return
    clearInterval(turn)
    for (const timer of timers) clearTimeout(timer)
    signal('SIGCONT')
    isRunning = false
  }
  onTestFinished(end)
  return end
}

const memoryGroups = '/sys/fs/cgroup/memory'

/** Whether this user may limit the memory of processes. */
export const canLimitMemory = tryGroup()

/**
 * A group whose processes get so much memory together, and are killed where that is too little.
 * @returns the command that runs another one in it, from its first byte on
 */
export function memoryGroup(bytes: number): (command: string[]) => string[] {
  const folder = join(memoryGroups, `latchkey-${process.pid}-${Date.now()}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'memory.limit_in_bytes'), String(bytes))
  onTestFinished(() => {
    // Only an empty one can be removed.
    for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
      writeFileSync(join(memoryGroups, 'cgroup.procs'), pid)
    rmdirSync(folder)
  })
  return (command) => ['sh', '-c', `echo $$ > '${join(folder, 'cgroup.procs')}' && exec "$0" "$@"`, ...command]
}

function tryGroup(): boolean {
  const folder = join(memoryGroups, `latchkey-${process.pid}-try`)
  try {
    mkdirSync(folder)
    writeFileSync(join(folder, 'memory.limit_in_bytes'), '1G')
    rmdirSync(folder)
    return true
  } catch {
    return false
  }
}

/** How much memory a process holds, in bytes: now, and at most so far. */
export function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string) => 1_024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') }
}
