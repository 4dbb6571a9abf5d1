import pg from 'pg'

/** What a service asks by itself now and then: whether it is still told, what time it is, how long the log of writes is. */
const ofNoRequest = /pg_notify\(\$1, \$2\)|pg_current_wal_insert_lsn|^checkpoint$|from clock_timestamp\(\)\) \* 1000/

/** Texts of queries but for those that no request has caused, and for what they say of the request that has. */
export function comparable(texts: readonly string[]): string[] {
  const asked = texts.filter((text) => !ofNoRequest.test(text))
  return asked.map((text) => text.replace(/(set_config\('latchkey\.audit', ).*(, true\))/, '$1…$2'))
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
    return comparable(texts)
  }
}
