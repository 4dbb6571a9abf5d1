import { LRUCache } from 'lru-cache'
import type { Quota, Taken } from './quota.ts'

const windowSeconds = 60
const windowMs = windowSeconds * 1_000
const mostClients = 50_000
const batchSize = 1_000
// What an attack with many addresses may make of one exchange.
const mostBatches = 10

interface Count {
  key: string
  requests: number
  endsInMs: number
}

/** How many requests a minute each client may make, counted in memory and shared with other instances now and then. */
export interface RequestLimit {
  quota: Quota
  /** Counts a request, if it may be made. */
  take: (client: string) => Taken
  /**
   * Tells the other instances what was counted here, and learns what they have counted.
   * @returns whether there was anything to tell
   * @throws what `exchange` throws; all that was counted is told the next time
   */
  share: () => Promise<boolean>
}

interface RequestLimitOptions {
  /** Sets its counts apart from those of other limits. */
  name: string
  perMinute: number
  /** Adds counts to those of all instances and returns these. */
  exchange: (counts: readonly Count[]) => Promise<readonly Count[]>
  /** A clock in milliseconds that never goes back. */
  now?: () => number
  /** Of more clients, those who have asked last are remembered. */
  maxClients?: number
}

interface Window {
  /** Counted by all instances, as far as is known. */
  known: number
  /** Counted here, and not told yet. */
  untold: number
  endsAt: number
}

/**
 * Limits requests without waiting for anything. A client's minute begins with the first request. An instance tells of a
 * client once a hundredth of the limit was used there, so that those who ask little cost the database nothing; of what all
 * instances let through, no more than that and what arrives until the next `share` is over the limit for each of them.
 */
export function createRequestLimit(options: RequestLimitOptions): RequestLimit {
  const { perMinute, now = () => performance.now(), maxClients = mostClients } = options
  const quota = { name: options.name, most: perMinute, windowSeconds }
  const worthTelling = Math.ceil(perMinute / 100)
  const toTell = new Set<string>()
  const windows = new LRUCache<string, Window>({ max: maxClients, dispose: (_, client) => void toTell.delete(client) })

  function windowOf(client: string, at: number): Window {
    const current = windows.get(client)
    if (current && current.endsAt > at) return current
    const window = { known: 0, untold: 0, endsAt: at + windowMs }
    windows.set(client, window)
    return window
  }

  return {
    quota,
    take(client) {
      const at = now()
      const window = windowOf(client, at)
      const endsInMs = window.endsAt - at
      const left = perMinute - window.known - window.untold
      if (left <= 0) return { quota, isAllowed: false, remaining: 0, endsInMs }
      window.untold++
      if (window.untold >= worthTelling) toTell.add(client)
      return { quota, isAllowed: true, remaining: left - 1, endsInMs }
    },
    async share() {
      const clients = [...toTell].slice(0, mostBatches * batchSize)
      for (let i = 0; i < clients.length; i += batchSize) await tell(clients.slice(i, i + batchSize))
      return clients.length > 0
    },
  }

  async function tell(clients: string[]): Promise<void> {
    const at = now()
    const told = new Map<string, { client: string; window: Window; requests: number }>()
    for (const client of clients) {
      const window = windows.peek(client)
      if (window && window.endsAt > at)
        told.set(`${options.name}|${client}`, { client, window, requests: window.untold })
      else toTell.delete(client)
    }
    if (told.size === 0) return
    // What the database has added and could not answer is told again: a client may be counted twice then, and never too little.
    const counts = [...told].map(([key, { window, requests }]) => ({ key, requests, endsInMs: window.endsAt - at }))
    for (const { key, requests, endsInMs } of await options.exchange(counts)) {
      const entry = told.get(key)
      if (!entry) continue
      entry.window.untold -= entry.requests
      entry.window.known = requests
      entry.window.endsAt = now() + endsInMs
      // Another may have begun meanwhile.
      if (windows.peek(entry.client) !== entry.window) continue
      toTell.delete(entry.client)
      // Much may have come meanwhile; the others have their turn first.
      if (entry.window.untold >= worthTelling) toTell.add(entry.client)
    }
  }
}
