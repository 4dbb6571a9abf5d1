import { ProblemError } from '../../http/problem.ts'

interface QueueOptions {
  /** How many pieces of work run at a time. */
  size: number
  /** The longest that one may wait for its turn, in milliseconds. */
  maxWaitMs: number
  /** How long one takes, in milliseconds, until some were measured. */
  assumedMs: number
}

/** Runs work in the order in which it comes, so much at a time; what would wait too long for its turn is refused at once. */
export interface Queue {
  /** @throws ProblemError `overloaded` for work that was not begun in time, and what the work throws */
  run: <T>(work: () => Promise<T>) => Promise<T>
  /** @throws ProblemError `overloaded` when work that came now would be refused */
  assertRoom: () => void
  /** Refuses whatever waits or comes later, and waits for what runs. */
  close: () => Promise<void>
}

interface Waiting {
  deadline: number
  begin: () => void
  refuse: () => void
}

// How much the latest counts in the average: more when it was slower, so that few are let in whose turn comes too late.
const [weightOfSlower, weightOfFaster] = [0.5, 0.1]

/** Makes a queue with a deadline. Its bound follows from how long the work has taken so far. */
export function createQueue({ size, maxWaitMs, assumedMs }: QueueOptions): Queue {
  const waiting = new Set<Waiting>()
  let running = 0
  let averageMs = assumedMs
  let onIdle: (() => void) | undefined
  let isClosed = false
  let closed: Promise<void> | undefined

  const waitMs = (ahead: number) => ((ahead + 1) * averageMs) / size
  const isFull = () => isClosed || (running >= size && waitMs(waiting.size) > maxWaitMs)

  function refusal(): ProblemError {
    // Up to twice as long as it takes: who is refused at the same time must not all come back at the same time.
    const seconds = Math.max(1, Math.round((waitMs(waiting.size) * (1 + Math.random())) / 1_000))
    return new ProblemError('overloaded', undefined, { headers: { 'retry-after': String(seconds) } })
  }

  function turn(): Promise<void> {
    if (isFull()) return Promise.reject(refusal())
    if (running < size) {
      running++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const leave = (then: () => void) => {
        clearTimeout(timer)
        waiting.delete(entry)
        then()
      }
      const refuse = () => leave(() => reject(refusal()))
      const entry = { deadline: performance.now() + maxWaitMs, begin: () => leave(resolve), refuse }
      const timer = setTimeout(refuse, maxWaitMs)
      waiting.add(entry)
    })
  }

  function passOn(): void {
    for (const entry of waiting) {
      // Its timer may be late when there is much to do; and it is to end in time, too, where work has become slow.
      if (entry.deadline > performance.now() + Math.min(averageMs, maxWaitMs / 2)) return entry.begin()
      entry.refuse()
    }
    running--
    if (running === 0) onIdle?.()
  }

  return {
    async run(work) {
      await turn()
      const beganAt = performance.now()
      try {
        return await work()
      } finally {
        // Not the time for which the machine slept.
        const tookMs = Math.min(performance.now() - beganAt, maxWaitMs)
        averageMs += (tookMs - averageMs) * (tookMs > averageMs ? weightOfSlower : weightOfFaster)
        passOn()
      }
    },
    assertRoom() {
      if (isFull()) throw refusal()
    },
    close() {
      isClosed = true
      for (const entry of waiting) entry.refuse()
      closed ??= running === 0 ? Promise.resolve() : new Promise((resolve) => (onIdle = resolve))
      return closed
    },
  }
}
