import { AsyncLocalStorage } from 'node:async_hooks'

// A request is answered within five seconds, whatever the database does.
const perRequestMs = 4_500

interface Patience {
  leftMs: number
  /** How many questions are waited for now, and since when there is one, on the clock of `performance`. */
  waiting: number
  since: number
}

const patience = new AsyncLocalStorage<Patience>()

/** The database takes longer than a request waits for it. */
export class ImpatientError extends Error {
  override name = 'ImpatientError'
  constructor() {
    super('The database took too long for one request')
  }
}

/** Runs the work of one request, which waits for the database for four and a half seconds, in however many queries. */
export function withPatience<T>(work: () => T): T {
  return patience.run({ leftMs: perRequestMs, waiting: 0, since: 0 }, work)
}

/** Waits for the database as long as it takes, and counts it, what is waited for at the same time once. */
export async function counted<T>(ask: () => Promise<T>): Promise<T> {
  const store = patience.getStore()
  if (!store) return ask()
  if (store.waiting++ === 0) store.since = performance.now()
  try {
    return await ask()
  } finally {
    if (--store.waiting === 0) store.leftMs -= performance.now() - store.since
  }
}

function leftOf({ leftMs, waiting, since }: Patience): number {
  return waiting === 0 ? leftMs : leftMs - (performance.now() - since)
}

/**
 * Waits for the database as long as the request does; work of no request has no limit here.
 * @param late is given what comes afterwards
 * @throws ImpatientError when time is up; what was asked goes on
 */
export function waited<T>(ask: () => Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
  const store = patience.getStore()
  if (!store) return ask()
  const leftMs = leftOf(store)
  if (leftMs <= 0) return Promise.reject(new ImpatientError())
  return counted(() => within(leftMs, ask(), late))
}

function within<T>(ms: number, work: Promise<T>, late: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new ImpatientError())
    }, ms)
    work.then((value) => (isLate ? late(value) : resolve(value)), reject).finally(() => clearTimeout(timer))
  })
}
