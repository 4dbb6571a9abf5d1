import { type AttemptCount, countAttempt, findAttempts } from './db/attempt-counts.ts'
import type { Db } from './db/database.ts'
import { blocksOf } from './http/client-address.ts'
import { ProblemError } from './http/problem.ts'
import { ofSite, type Quota, type Taken, tighter } from './http/quota.ts'

/** What is tried, and how often that may be. */
interface Attempt {
  quota: Quota
  /** Sets attempts at different things apart, under one name of the quota. */
  subject?: string
}

/**
 * Limits what an address may try, counted in the database: by all instances together, and exactly. What cannot be counted
 * must not be tried: both throw ProblemError `dependency-unavailable` then.
 */
export interface AttemptLimits {
  /** Counts an attempt at each of these, as far as it may be made. @returns what has least left */
  count: (address: string, ...attempts: [Attempt, ...Attempt[]]) => Promise<Taken>
  /** Whether another attempt at all of these may be made, which this is not. @returns what has least left */
  look: (address: string, ...attempts: [Attempt, ...Attempt[]]) => Promise<Taken>
}

/** Makes the limits of attempts on one database. */
export function createAttemptLimits(db: Db): AttemptLimits {
  return {
    count: (...asked) => orRefuse(() => countAll(db, levelsOf(...asked))),
    look: (...asked) => orRefuse(() => lookAt(db, levelsOf(...asked))),
  }
}

interface Level {
  key: string
  quota: Quota
}

/** What is counted: of each the block of the address, then the site that the block belongs to. */
function levelsOf(address: string, ...attempts: Attempt[]): Level[] {
  const { block, site } = blocksOf(address)
  return attempts.flatMap(({ quota, subject = '' }) => {
    const keyOf = (who: string) => `${who}|${quota.name}${subject}`
    const own = { key: keyOf(block), quota }
    return site === undefined ? [own] : [own, { key: keyOf(site), quota: ofSite(quota) }]
  })
}

async function countAll(db: Db, levels: Level[]): Promise<Taken> {
  const taken: Taken[] = []
  for (const level of levels) {
    const one = await countAt(db, level)
    taken.push(one)
    // What a block may not do must not use up what its neighbours may.
    if (!one.isAllowed) break
  }
  return taken.reduce(tighter)
}

async function countAt(db: Db, { key, quota }: Level): Promise<Taken> {
  const windowMs = quota.windowSeconds * 1_000
  const counted = await countAttempt(db, { key, most: quota.most, windowMs })
  if (counted) return { quota, isAllowed: true, remaining: quota.most - counted.count, endsInMs: counted.endsInMs }
  const [found] = await findAttempts(db, [key])
  return { quota, isAllowed: false, remaining: 0, endsInMs: found?.endsInMs ?? 0 }
}

async function lookAt(db: Db, levels: Level[]): Promise<Taken> {
  const found = await findAttempts(
    db,
    levels.map(({ key }) => key),
  )
  return levels.map((level) => standing(level, found)).reduce(tighter)
}

function standing({ key, quota }: Level, found: readonly AttemptCount[]): Taken {
  const { count, endsInMs } = found.find((one) => one.key === key) ?? { count: 0, endsInMs: 0 }
  const remaining = Math.max(0, quota.most - count)
  return { quota, isAllowed: remaining > 0, remaining, endsInMs }
}

async function orRefuse(work: () => Promise<Taken>): Promise<Taken> {
  try {
    return await work()
  } catch (cause) {
    throw new ProblemError('dependency-unavailable', undefined, { cause })
  }
}
