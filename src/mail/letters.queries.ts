import { createHash, randomUUID } from 'node:crypto'
import type { Db } from '../db/database.ts'
import type { Message } from './mailer.ts'

const maxLetters = 5
// No longer than a mailed link is good for: whoever gets no more letters still has a link that works.
const windowMs = 3_600_000

/**
 * Counts a letter to an address, for all instances. It stands in the table of Better-Auth's limiter, which leaves it alone
 * until the time in `last_request`: here the end of the hour that began with the first letter.
 * @returns whether the address may have it: five of a kind within that hour
 */
export async function countLetter(db: Db, { to, subject }: Pick<Message, 'to' | 'subject'>): Promise<boolean> {
  const now = Date.now()
  const key = `letter|${createHash('sha256').update(`${subject} ${to.toLowerCase()}`).digest('base64url')}`
  await db.deleteFrom('rate_limit').where('key', 'like', 'letter|%').where('last_request', '<=', now).execute()
  const counted = await db
    .insertInto('rate_limit')
    .values({ id: randomUUID(), key, count: 1, last_request: now + windowMs })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet((eb) => ({ count: eb('rate_limit.count', '+', 1) }))
        .where('rate_limit.count', '<', maxLetters),
    )
    .returning('id')
    .executeTakeFirst()
  return counted !== undefined
}
