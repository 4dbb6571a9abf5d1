import { createHash, randomUUID } from 'node:crypto'
import type { Db } from '../db/database.ts'
import type { Message } from './mailer.ts'

const maxLetters = 3
// Of a letter that each user may ask for: somebody with many accounts must not fill an inbox, either.
const maxOfAllAskers = 12
// No longer than a mailed link is good for: whoever gets no more letters still has a link that works.
const windowMs = 3_600_000

/**
 * Counts a letter to an address, for all instances: three of a kind an hour, or three for each who asks and 12 in all. It
 * stands in the table of the limits of attempts, with the end of the hour that began with the first letter in
 * `last_request`.
 * @returns what takes it back, should the letter not leave; undefined for a letter that the address may not have
 */
export async function countLetter(
  db: Db,
  { to, subject, cap }: Pick<Message, 'to' | 'subject' | 'cap'>,
): Promise<(() => Promise<void>) | undefined> {
  await db.deleteFrom('rate_limit').where('key', 'like', 'letter|%').where('last_request', '<=', Date.now()).execute()
  const kind = [subject, to.toLowerCase()]
  if (typeof cap !== 'object') return countUp(db, keyOf(kind), maxLetters)
  // Theirs first: what is over it takes nothing from others.
  const takeBackTheirs = await countUp(db, keyOf([...kind, cap.asker]), maxLetters)
  if (!takeBackTheirs) return undefined
  const takeBackOfAll = await countUp(db, keyOf(kind), maxOfAllAskers)
  if (takeBackOfAll) return async () => void (await Promise.all([takeBackTheirs(), takeBackOfAll()]))
  await takeBackTheirs()
  return undefined
}

function keyOf(parts: string[]): string {
  return `letter|${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`
}

/** Counts one more, unless that would be more than `most`. Returns what takes it back if it did. */
async function countUp(db: Db, key: string, most: number): Promise<(() => Promise<void>) | undefined> {
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
  // By its id: in the next hour it is another row.
  return counted && (() => countDown(db, counted.id))
}

async function countDown(db: Db, id: string): Promise<void> {
  const less = db.updateTable('rate_limit').set((eb) => ({ count: eb('count', '-', 1) }))
  await less.where('id', '=', id).execute()
}
