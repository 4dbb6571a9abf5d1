import { type AttemptLimits, createAttemptLimits } from './attempt-limits.ts'
import type { Config } from './config.ts'
import type { Db } from './db/database.ts'
import { addRequestCounts, type RequestCount } from './db/request-counts.ts'
import { type AddressLimit, createAddressLimit } from './http/address-limit.ts'
import type { Log } from './log.ts'

/** The limits by client address, which all instances on one database honour together. */
export interface RequestLimits {
  /** Of everything but `/health`; undefined where requests are not limited, as the others. */
  all: AddressLimit | undefined
  /** Of each endpoint of `/api/auth` where nothing is to be guessed. */
  auth: AddressLimit | undefined
  /** Of the page that makes the first admin. */
  setup: AddressLimit | undefined
  /** Of what somebody could guess. */
  attempts: AttemptLimits | undefined
  /** Shares what was counted last, and stops. */
  close: () => Promise<void>
}

// A person who makes the first admin needs a few, and each may cost a password.
const setupsPerMinute = 20
const shareMs = 250

/**
 * Limits requests from memory, and shares what was counted four times a second while there is something to tell. While the
 * database is down each instance holds clients to the limit by itself. The embedded database has one instance.
 */
export function createRequestLimits({ config, db, log }: { config: Config; db: Db; log: Log }): RequestLimits {
  const { rateLimit, database } = config
  if (rateLimit === 0)
    return { all: undefined, auth: undefined, setup: undefined, attempts: undefined, close: async () => {} }
  const exchange = (counts: readonly RequestCount[]) => addRequestCounts(db, counts)
  const limit = (name: string, perMinute: number) => createAddressLimit({ name, perMinute, exchange })
  const all = limit('all', rateLimit)
  const auth = limit('auth', Math.max(1, Math.floor(rateLimit / 10)))
  const setup = limit('setup', Math.min(rateLimit, setupsPerMinute))
  const close = database ? keepSharing([all, auth, setup], log) : async () => {}
  return { all, auth, setup, attempts: createAttemptLimits(db), close }
}

/** @returns what ends it, after a last time */
function keepSharing(limits: AddressLimit[], log: Log): () => Promise<void> {
  let isShared = true
  let underWay: Promise<void> | undefined

  async function share(): Promise<void> {
    const outcomes = await Promise.allSettled(limits.map((limit) => limit.share()))
    for (const outcome of outcomes) if (outcome.status === 'rejected') return note(outcome.reason)
    if (!outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value)) return
    if (!isShared) log.info('rate limits are shared again')
    isShared = true
  }
  function note(err: unknown): void {
    if (isShared) log.warn({ err }, 'rate limits are not shared with other instances')
    isShared = false
  }
  // Begun here and not by a request, whose failure a failure of the database would be.
  const timer = setInterval(() => {
    underWay ??= share().finally(() => (underWay = undefined))
  }, shareMs).unref()
  return async () => {
    clearInterval(timer)
    await underWay
    await share()
  }
}
