import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { ProblemError } from '../../http/problem.ts'
import type { Log } from '../../log.ts'
import { createQueue } from './queue.ts'

/** Derives keys of passwords in threads of its own, so that no other request waits for it. */
export interface HashLane {
  /** @throws ProblemError `overloaded` when a password that came now would be refused */
  assertRoom: () => void
  /**
   * Derives the key of a password by scrypt.
   * @param salt as text
   * @returns the key, in hex
   * @throws ProblemError `overloaded` when it was not begun in time, or its thread died twice
   */
  deriveKey: (password: string, salt: string) => Promise<string>
  /** Refuses what waits, lets what runs come to its end, and ends the threads. */
  close: () => Promise<void>
}

interface HashLaneOptions {
  /** How many threads there may be at a time. */
  size: number
  log: Log
  /** The longest that a password may wait for its turn, in milliseconds. */
  maxWaitMs?: number
  /** The longest that a thread may take for one, in milliseconds, before another is tried. */
  maxRunMs?: number
  /** After how long a thread ends that has nothing to do, in milliseconds. */
  idleMs?: number
  /** The module of the threads, which exports `deriveKey`. */
  module?: URL
}

const attempts = 2
/** How long a thread takes for a password, in milliseconds, until some were measured. */
export const assumedMs = 100
/** The longest that a password, or a sign-in, waits for its turn, in milliseconds. */
export const longestWaitMs = 5_000

// Twenty times what it takes; twice that, as another thread tries too, is still within five seconds.
const longestRunMs = 2_250

/** Makes the lane; a thread is started when there is something to do for it, and ends once it has been idle for a while. */
export function createHashLane({
  size,
  log,
  maxWaitMs = longestWaitMs,
  maxRunMs = longestRunMs,
  idleMs = 30_000,
  module = new URL('./scrypt.js', import.meta.url),
}: HashLaneOptions): HashLane {
  const queue = createQueue({ size, maxWaitMs, assumedMs })
  const threads = new Piscina({
    filename: fileURLToPath(module),
    name: 'deriveKey',
    minThreads: 0,
    maxThreads: size,
    idleTimeout: idleMs,
    // Nothing of the process is of use to them, its secrets least.
    env: {},
    execArgv: [],
  })
  // A thread that dies while it has nothing to do; the next one is another.
  threads.on('error', (err: unknown) => log.warn({ err }, 'a hashing thread died'))

  async function derive(job: { password: string; salt: string }): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await threads.run(job, { signal: AbortSignal.timeout(maxRunMs) })) as string
      } catch (error) {
        if (attempt === attempts) throw new ProblemError('overloaded', undefined, { cause: error })
        const isLate = error instanceof Error && error.name === 'AbortError'
        log.warn({ err: error }, `a hashing thread ${isLate ? 'took too long' : 'died'}, trying again`)
      }
    }
  }

  return {
    deriveKey: (password, salt) => queue.run(() => derive({ password, salt })),
    assertRoom: queue.assertRoom,
    async close() {
      await queue.close()
      await threads.destroy()
    },
  }
}
