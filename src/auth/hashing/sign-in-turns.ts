import { setImmediate as nextTurn } from 'node:timers/promises'
import { assumedMs, type HashLane, longestWaitMs } from './hash-lane.ts'
import { createQueue, type Queue } from './queue.ts'

/** Keeps sign-ins from being worked on all at once, each for milliseconds of the event loop, while passwords wait. */
export interface SignInTurns {
  /**
   * Lets a sign-in begin, one in each turn of the event loop: others are served in between, and those who come to nothing,
   * as they are limited, wait for nobody's password.
   * @throws ProblemError `overloaded` when there is no time for its password
   */
  begin: () => Promise<void>
  /**
   * Goes on to look up the user of a sign-in when the turn of its password is near: a few more than there are threads.
   * @throws ProblemError `overloaded` when it was not begun in time, and what `work` throws
   */
  admit: Queue['run']
  /** Refuses those who wait to be admitted, and waits for those who were. */
  close: () => Promise<void>
}

interface SignInTurnsOptions {
  /** How many threads the lane has. */
  size: number
  lane: Pick<HashLane, 'assertRoom'>
  /** The longest that a sign-in may wait to be admitted, in milliseconds. */
  maxWaitMs?: number
}

/** Makes the turns of the sign-ins whose passwords a hash lane checks. */
export function createSignInTurns({ size, lane, maxWaitMs = longestWaitMs }: SignInTurnsOptions): SignInTurns {
  // A few more than there are threads: none is idle meanwhile, and the passwords of others do not push these aside.
  const places = size + 4
  const { run, assertRoom, close } = createQueue({ size: places, maxWaitMs, assumedMs: (assumedMs * places) / size })
  let last: Promise<void> = Promise.resolve()

  function assertTime(): void {
    assertRoom()
    lane.assertRoom()
  }

  return {
    async begin() {
      assertTime()
      last = last.then(() => nextTurn())
      await last
      // Those before may have filled it.
      assertTime()
    },
    admit: run,
    close,
  }
}
