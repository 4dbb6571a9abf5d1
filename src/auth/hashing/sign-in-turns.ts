import type { HashLane } from './hash-lane.ts'
import { createQueue } from './queue.ts'

/**
 * Keeps sign-ins from being worked on all at once while their passwords wait: a few at a time are handed to Better-Auth,
 * until each has been through its limiter and its checks of the request; and a few more than there are threads go on to
 * look up their user.
 */
export interface SignInTurns {
  /** @throws ProblemError `overloaded` when a sign-in that came now would be refused */
  assertRoom: () => void
  /**
   * Hands a sign-in over when its turn comes, which it keeps until it is at its endpoint or has its response.
   * @throws ProblemError `overloaded` when it was not begun in time, and what `handle` throws
   */
  hand: (request: Request, handle: () => Promise<Response>) => Promise<Response>
  /**
   * Runs the endpoint of a sign-in when the turn of its password is near.
   * @throws ProblemError `overloaded` when it was not begun in time, and what `work` throws
   */
  admit: <T>(request: Request | undefined, work: () => Promise<T>) => Promise<T>
  /** Refuses those who wait, and waits for those who do not. */
  close: () => Promise<void>
}

interface SignInTurnsOptions {
  /** How many threads the lane has. */
  size: number
  lane: Pick<HashLane, 'assertRoom'>
  /** The longest that a sign-in may wait for either turn, in milliseconds. */
  maxWaitMs?: number
}

// Handing one over takes a few milliseconds of the event loop, in between which others ask.
const handedAtOnce = 2
const assumedHandingMs = 10
const assumedHashingMs = 100

/** Makes the turns of the sign-ins whose passwords a hash lane checks. */
export function createSignInTurns({ size, lane, maxWaitMs = 5_000 }: SignInTurnsOptions): SignInTurns {
  const door = createQueue({ size: handedAtOnce, maxWaitMs, assumedMs: assumedHandingMs })
  // A few more than there are threads: none is idle meanwhile, and the passwords of others do not push these aside.
  const places = size + 4
  const endpoint = createQueue({ size: places, maxWaitMs, assumedMs: (assumedHashingMs * places) / size })
  const arrivals = new WeakMap<Request, () => void>()

  return {
    assertRoom() {
      door.assertRoom()
      endpoint.assertRoom(door.length())
      lane.assertRoom()
    },
    async hand(request, handle) {
      const handed = await door.run(async () => {
        const arrived = new Promise<void>((resolve) => arrivals.set(request, resolve))
        const response = handle()
        await Promise.race([arrived, response.catch(() => undefined)])
        // Not the promise itself, which would be waited for.
        return { response }
      })
      return handed.response
    },
    admit(request, work) {
      if (request) arrivals.get(request)?.()
      return endpoint.run(work)
    },
    async close() {
      await Promise.all([door.close(), endpoint.close()])
    },
  }
}
