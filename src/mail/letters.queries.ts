import { createHash, randomUUID } from 'node:crypto'
import type { Db } from '../db/database.ts'
import type { Message } from './mailer.ts'

const maxLetters = 5
// Of a letter that each user may ask for: somebody with many accounts must not fill an inbox, either.
const maxOfAllAskers = 20
// No longer than a mailed link is good for: whoever gets no more letters still has a link that works.
const windowMs = 3_600_000

/**
 * Counts a letter to an address, for all instances. It stands in the table of Better-Auth's limiter, which leaves it alone
 * until the time in `last_request`: here the end of the hour that began with the first letter.
 * @returns whether the address may have it: within that hour five of a kind, or five for each who asks and 20 in all
 */
export async function countLetter(
  db: Db,
  { to, subject, asker }: Pick<Message, 'to' | 'subject' | 'asker'>,
): Promise<boolean> {
  await db.deleteFrom('rate_limit').where('key', 'like', 'letter|%').where('last_request', '<=', Date.now()).execute()
  const ofAll = keyOf(subject, to.toLowerCase())
  if (asker === undefined) return countUp(db, ofAll, maxLetters)
  // Theirs first: what is over it takes nothing from others.
  return (await countUp(db, keyOf(subject, to.toLowerCase(), asker), maxLetters)) && countUp(db, ofAll, maxOfAllAskers)
}

function keyOf(...parts: string[]): string {
  return `letter|${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`
}

/** Counts one more, unless that would be more than `most`. Returns whether it did. */
async function countUp(db: Db, key: string, most: number): Promise<boolean> {
  const counted = await db
    .insertInto('rate_limit')
    .values({ id: randomUUID(), key, count: 1, last_request: Date.now() + windowMs })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet((eb) => ({ count: eb('rate_limit.count', '+', 1) }))
        .where('rate_limit.count', '<', most),
    )
    .returning('id')
    .executeTakeFirst()
  return counted !== undefined
}
