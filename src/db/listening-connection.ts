import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import pg from 'pg'

interface ConnectionOptions {
  /** Where changes are made, and where they are heard of. */
  url: string
  directUrl: string
  channel: string
  /** On which what is sent comes back. */
  echoChannel: string
  onNotification: (payload: string) => void
  onLost: () => void
  /** Called when something is about to be sent; what it returns, when that has been heard. */
  stamp: () => () => void
}

/** A connection that listens, and another that tells. */
export interface Connection {
  /** Aborted with the reason when either is lost. */
  lost: AbortSignal
  /** Resolves when a notification that is sent now the way that changes go has been heard. @throws Error when it is not */
  beat: () => Promise<void>
  /** The same for the first time. @throws UncarriedError when it is not heard */
  firstBeat: () => Promise<void>
  /** Resolves when what `tell` tells has been heard. @throws Error when it is not, and what `tell` throws */
  echoOf: (tell: (id: string) => Promise<unknown>) => Promise<void>
  destroy: () => void
}

/** Notifications never arrive. */
export class UncarriedError extends Error {
  override message = 'notifications do not arrive, as behind a pooler in transaction mode: set DIRECT_URL past it'
}

const answerWithinMs = 1_000
const connectWithinMs = 2_000

/**
 * Opens both, and listens.
 * @throws Error when they are not to be had in time, or `closing` is aborted
 */
export async function openConnection(options: ConnectionOptions, closing: AbortSignal): Promise<Connection> {
  const lost = new AbortController()
  const echoes = createEchoes(options.stamp)
  const destroyed = new AbortController()
  const destroy = () => destroyed.abort()
  const lose = (reason: Error) => {
    if (lost.signal.aborted) return
    options.onLost()
    lost.abort(reason)
    echoes.giveUp(reason)
  }
  const listener = createClient(options.directUrl, 'latchkey listener', destroyed.signal)
  const teller = createClient(options.url, 'latchkey teller', destroyed.signal)
  for (const client of [listener, teller]) {
    client.on('error', lose)
    client.on('end', () => lose(new Error('the connection that hears of changes was closed')))
  }
  listener.on('notification', ({ channel, payload = '' }) => {
    if (channel === options.echoChannel) echoes.arrive(payload)
    else options.onNotification(payload)
  })
  closing.addEventListener('abort', destroy, { signal: destroyed.signal })
  try {
    await Promise.all([listener.connect(), teller.connect()])
    await listener.query(`listen ${options.channel}; listen ${options.echoChannel}`)
  } catch (error) {
    destroy()
    throw error
  }
  const tell = (id: string) => teller.query('select pg_notify($1, $2)', [options.echoChannel, id])
  return {
    lost: lost.signal,
    destroy,
    beat: () => echoes.of(tell),
    firstBeat: () => echoes.of(tell, () => new UncarriedError()),
    echoOf: (notify) => echoes.of(notify),
  }
}

function createClient(connectionString: string, name: string, destroyed: AbortSignal): pg.Client {
  // The socket is ours, because a client whose server hangs waits to take its leave.
  const socket = new Socket()
  destroyed.addEventListener('abort', () => socket.destroy(), { once: true })
  return new pg.Client({
    connectionString,
    application_name: name,
    connectionTimeoutMillis: connectWithinMs,
    query_timeout: answerWithinMs,
    keepAlive: true,
    stream: () => socket,
  })
}

interface Expectation {
  arrive: () => void
  giveUp: (reason: Error) => void
}

/** Notifications that are sent to ourselves, by their payload. */
function createEchoes(stamp: () => () => void) {
  const expected = new Map<string, Expectation>()
  return {
    arrive: (id: string) => expected.get(id)?.arrive(),
    giveUp(reason: Error) {
      for (const { giveUp } of expected.values()) giveUp(reason)
    },
    async of(
      tell: (id: string) => Promise<unknown>,
      unheard = () => new Error('what was told was not heard in time'),
    ): Promise<void> {
      const id = randomUUID()
      const heard = stamp()
      const arrival = new Promise<void>((resolve, reject) => {
        expected.set(id, { arrive: resolve, giveUp: reject })
      }).then(heard)
      // Awaited below only once it has been told.
      arrival.catch(() => {})
      let timer: NodeJS.Timeout | undefined
      try {
        await tell(id)
        // When this process was busy, what came in time is still to be read.
        timer = setTimeout(() => setImmediate(() => expected.get(id)?.giveUp(unheard())), answerWithinMs)
        await arrival
      } finally {
        clearTimeout(timer)
        expected.delete(id)
      }
    },
  }
}
