import { randomUUID } from 'node:crypto'
import { setImmediate as inputRead, setTimeout as pause } from 'node:timers/promises'
import { type Connection, openConnection, UncarriedError } from './listening-connection.ts'

/** Hears what a database tells its clients (`NOTIFY`), and knows up to when it has heard everything. */
export interface Notifications {
  /** Whether all that was committed until two seconds ago has been heard. */
  isCurrent: () => boolean
  /**
   * Resolves once all that was committed before the call has been heard, or once nothing counts as current.
   * @param notify tells something over the connection that committed it
   */
  catchUp: (notify: Notify) => Promise<void>
  /** Something may have been committed without anybody knowing: nothing counts as current until more is heard. */
  distrust: () => void
  /** Milliseconds since the time up to which all has been heard; infinite where nothing has been. */
  age: () => number
  close: () => Promise<void>
}

/** Sends a notification. */
export type Notify = (channel: string, payload: string) => Promise<unknown>

/** What to listen for, and who is told of it. */
export interface Listening {
  channel: string
  onNotification: (payload: string) => void
  /** What was told until now may not have been heard. */
  onGap: () => void
  /** The way begins to carry notifications, or no longer does, with the reason. */
  onChange: (state: { carries: true } | { carries: false; reason: string }) => void
}

interface ListenerOptions extends Listening {
  /** Where changes are made, and where they are heard of: the same but for a pooler. */
  url: string
  directUrl: string
}

const maxAgeMs = 2_000
const beatEveryMs = 500
const catchUpWithinMs = 250
const shortestPauseMs = 100
const longestPauseMs = 5_000
// A pooler keeps what listened; and what it did not carry a few times, it will not in a second.
const [uncarriedTimes, uncarriedPauseMs] = [3, 60_000]

/**
 * Listens over a connection of its own, and opens another when that is lost. Notifications come in the order of commits,
 * so one that is sent the way that changes go, and heard, shows that everything from before it was heard, too.
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export function listen(options: ListenerOptions): Notifications {
  const closing = new AbortController()
  const clock = createClock()
  // One for all connections: a pooler in transaction mode listens on after each.
  const echoChannel = `latchkey_${randomUUID().replaceAll('-', '')}`
  let connection: Connection | undefined
  const ended = keepListening({ ...options, echoChannel }, clock, closing.signal, (opened) => {
    connection = opened
  })
  return {
    isCurrent: clock.isCurrent,
    age: clock.age,
    distrust: clock.reset,
    async catchUp(notify) {
      const echo = connection?.echoOf((id) => notify(echoChannel, id))
      // A beat that was sent before the change and is heard later proves nothing of it: it does not count either.
      if (!echo || !(await isInTime(echo))) clock.reset()
    },
    async close() {
      closing.abort()
      await ended
    },
  }
}

/** The time up to which all has been heard, by two clocks: one can be set, the other stands still while a machine sleeps. */
export function createClock() {
  const never = { steady: Number.NEGATIVE_INFINITY, wall: Number.NEGATIVE_INFINITY }
  let heard = never
  let resets = 0
  const age = () => Math.max(performance.now() - heard.steady, Math.abs(Date.now() - heard.wall))
  return {
    age,
    isCurrent: () => age() <= maxAgeMs,
    reset() {
      resets += 1
      heard = never
    },
    /** Something is about to be sent. @returns what to call when it has been heard */
    stamp() {
      const [sent, before] = [{ steady: performance.now(), wall: Date.now() }, resets]
      return () => {
        if (before === resets && sent.steady > heard.steady) heard = sent
      }
    },
  }
}

type Clock = ReturnType<typeof createClock>

/** Listens until `closing`, over one connection after the other. */
async function keepListening(
  options: ListenerOptions & { echoChannel: string },
  clock: Clock,
  closing: AbortSignal,
  onConnection: (connection: Connection | undefined) => void,
): Promise<void> {
  let pauseMs = shortestPauseMs
  // A way that has carried once leads past any pooler, however late it may be.
  let hasCarried = false
  let uncarried = 0
  const tell = tellChanges(options, closing)
  while (!closing.aborted) {
    let connection: Connection | undefined
    let reason: unknown
    try {
      connection = await openConnection({ ...options, onLost: clock.reset, stamp: clock.stamp }, closing)
      // What is kept from here on is kept while listening.
      options.onGap()
      onConnection(connection)
      await (hasCarried ? connection.beat() : connection.firstBeat())
      hasCarried = true
      pauseMs = shortestPauseMs
      tell(undefined)
      await keepBeating(connection)
    } catch (error) {
      reason = connection?.lost.aborted ? connection.lost.reason : error
      tell(reason instanceof Error ? reason.message : String(reason))
    }
    onConnection(undefined)
    connection?.destroy()
    clock.reset()
    uncarried = reason instanceof UncarriedError ? uncarried + 1 : 0
    const waitMs = uncarried >= uncarriedTimes ? uncarriedPauseMs : pauseMs
    // Half of it by chance, so that instances do not come back all at once.
    await pause(waitMs * (0.5 + Math.random() / 2), undefined, { signal: closing, ref: false }).catch(() => {})
    pauseMs = Math.min(2 * pauseMs, longestPauseMs)
  }
}

/** Ends only by throwing. */
async function keepBeating(connection: Connection): Promise<never> {
  for (;;) {
    await pause(beatEveryMs, undefined, { signal: connection.lost, ref: false })
    await connection.beat()
  }
}

function tellChanges({ onChange }: Listening, closing: AbortSignal): (reason: string | undefined) => void {
  let told: { reason: string | undefined } | undefined
  return (reason) => {
    if (closing.aborted || (told && told.reason === reason)) return
    told = { reason }
    onChange(reason === undefined ? { carries: true } : { carries: false, reason })
  }
}

/** Whether `work` succeeds before its time is over. */
async function isInTime(work: Promise<void>): Promise<boolean> {
  const done = new AbortController()
  // When this process was busy, what came in time is still to be read.
  const late = pause(catchUpWithinMs, undefined, { signal: done.signal, ref: false }).then(() => inputRead(false))
  try {
    return await Promise.race([work.then(() => true), late])
  } catch {
    return false
  } finally {
    done.abort()
    late.catch(() => {})
  }
}
