import { fstatSync } from 'node:fs'
import { pino } from 'pino'
import { freeBytes } from './db/free-bytes.ts'

// What waits for a reader that does not read: some tens of thousands of lines.
const maxWaitingBytes = 8 * 1_024 * 1_024
// Lines are gathered for so long, or until there are so many bytes: each write of a file costs more than its lines.
const gathered = { minLength: 8_192, periodicFlush: 50 }
const lastFlushMs = 1_000

/** Where the log goes. */
export interface LogOutput {
  write: (line: string) => void
  /** Writes what waits, before the process ends; gives up when nobody has read any of it for a second. */
  flushSync: () => void
  /** @param tell is called with how many lines were lost, once others are read or written again */
  onLoss: (tell: (lines: number) => void) => void
}

/**
 * Standard output, by which nobody is kept waiting: of what is not read, or does not fit a disk, eight megabytes wait, and
 * the rest is lost.
 * @param maxWrite how many bytes are written at once
 */
export function openLogOutput(maxWrite?: number): LogOutput {
  // To look at it makes a pipe non-blocking: a reader that stopped would hold the thread that writes.
  void process.stdout.fd
  let [isLast, hasFailed] = [false, false]
  let [left, leftSince] = [0, 0]
  let lost = 0
  let tellLoss: ((lines: number) => void) | undefined
  const destination = pino.destination({
    dest: 1,
    sync: false,
    ...gathered,
    ...(maxWrite !== undefined && { maxWrite, minLength: maxWrite / 2 }),
    maxLength: maxWaitingBytes,
    retryEAGAIN(_error: Error, writing: number, waiting: number) {
      if (writing + waiting !== left) leftSince = performance.now()
      left = writing + waiting
      return !isLast || performance.now() - leftSince < lastFlushMs
    },
  })
  const { flushSync } = destination
  // pino calls it at the end of the process, and would try for ever.
  destination.flushSync = () => {
    if (hasFailed) return
    isLast = true
    leftSince = performance.now()
    try {
      if (!isDiskFull()) flushSync.call(destination)
    } catch {
      // Nobody reads: there is nowhere to tell.
    }
    isLast = false
  }
  // What could not be written, as on a full disk, waits and is tried again with the next lines.
  destination.on('error', () => {
    hasFailed = true
  })
  destination.on('write', () => {
    hasFailed = false
  })
  destination.on('drop', () => {
    lost++
  })
  destination.on('drain', () => {
    if (lost > 0) tellLoss?.(lost)
    lost = 0
  })
  return {
    write: (line) => void destination.write(line),
    flushSync: () => destination.flushSync(),
    onLoss(tell) {
      tellLoss = tell
    },
  }
}

/** Whether standard output is a file that may not take all that waits: pino would try for ever to write it. */
function isDiskFull(): boolean {
  return fstatSync(1).isFile() && freeBytes('/dev/fd/1') < maxWaitingBytes
}
