import { createHash } from 'node:crypto'
import { countAttempt, forgetAttempts, uncountAttempt } from '../db/attempt-counts.ts'
import type { Db } from '../db/database.ts'
import type { Message } from './mailer.ts'

const maxLetters = 3
// Of a letter that each user may ask for: somebody with many accounts must not fill an inbox, either.
const maxOfAllAskers = 12
// No longer than a mailed link is good for: whoever gets no more letters still has a link that works.
const windowMs = 3_600_000

/**
 * Counts a letter to an address, for all instances: three of a kind an hour, or three for each who asks and 12 in all. It
 * stands with the limits of attempts until the hour is over that began with the first letter.
 * @returns what takes it back, should the letter not leave; undefined for a letter that the address may not have
 */
export async function countLetter(
  db: Db,
  { to, subject, cap }: Pick<Message, 'to' | 'subject' | 'cap'>,
): Promise<(() => Promise<void>) | undefined> {
  await forgetAttempts(db, 'letter|')
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
  const counted = await countAttempt(db, { key, most, windowMs })
  return counted && (() => uncountAttempt(db, counted))
}
