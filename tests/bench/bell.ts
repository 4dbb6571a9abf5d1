import { once } from 'node:events'
import pg from 'pg'

/** A notification of PostgreSQL from one connection to another: the bound of what instances can tell each other. */
export async function startBell(
  database: string,
): Promise<{ ring: () => Promise<number>; close: () => Promise<void> }> {
  const [sender, listener] = [database, database].map((connectionString) => new pg.Client({ connectionString }))
  if (!sender || !listener) throw new Error('unreachable')
  await sender.connect()
  await listener.connect()
  await listener.query('listen bench')
  return {
    /** @returns milliseconds from when the notification was sent for good */
    async ring() {
      const heard = once(listener, 'notification').then(() => performance.now())
      await sender.query('notify bench')
      const sentAt = performance.now()
      return Math.max(0, (await heard) - sentAt)
    },
    async close() {
      await sender.end()
      await listener.end()
    },
  }
}
