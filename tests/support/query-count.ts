import pg from 'pg'

/**
 * Watches the queries that this process sends from now on, to either database. What listens sends beats at all
 * times, which belong to no request.
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
    return texts.filter((text) => !/pg_notify\(\$1, \$2\)/.test(text))
  }
}
