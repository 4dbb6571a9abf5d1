import pg from 'pg'

/** What a service asks by itself now and then: whether it is still told, what time it is, how long the log of writes is. */
const ofNoRequest = /pg_notify\(\$1, \$2\)|pg_current_wal_insert_lsn|^checkpoint$|from clock_timestamp\(\)\) \* 1000/

/** Whether a query may be one that no request has caused. */
export function isOfNoRequest(text: string): boolean {
  return ofNoRequest.test(text)
}

/**
 * Watches the queries that this process sends from now on, to either database, but those of no request.
 * @returns runs `work`, and tells the texts of the queries meanwhile
 */
export function watchQueries(): (work: () => Promise<unknown>) => Promise<string[]> {
  const { query } = pg.Client.prototype
  let texts: string[] = []
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    texts.push(typeof args[0] === 'string' ? args[0] : String((args[0] as { text?: unknown }).text))
    return Reflect.apply(query, this, args) as unknown
  } as typeof query
  return async (work) => {
    texts = []
    await work()
    return texts.filter((text) => !isOfNoRequest(text))
  }
}
