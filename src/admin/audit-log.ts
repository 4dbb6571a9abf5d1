import { createHash } from 'node:crypto'
import type { Db } from '../db/database.ts'
import {
  type AuditEnds,
  type ChainedEvent,
  findChained,
  findEarlyRemovals,
  findEnds,
  findToldStart,
} from './audit-log.queries.ts'

/** What became of the verification of the log. */
export interface Verification {
  isWhole: boolean
  /** In a line: how many events there are and the head, or what is wrong with which event. */
  message: string
}

const batchSize = 1_000

/**
 * Checks that each event of the log is as it was written, in its place, and that none is missing and none was added. Who
 * can write all tables can write the whole log anew: that is found only by a head that was noted elsewhere.
 * @param noted a head that must be in the log as it was, `<seq>:<hash>`
 * @param keptDays for how many days events are kept; 0 for ever. What was removed earlier is told of, if it was after `noted`
 */
export async function verifyAuditLog(db: Db, noted: string | undefined, keptDays: number): Promise<Verification> {
  const since = noted === undefined ? undefined : headIn(noted)
  for (;;) {
    const ends = await findEnds(db)
    if (!ends) return broken('The table "audit_head" is empty')
    const verification = await verifyBetween(db, ends, since, keptDays)
    // What retention removes meanwhile would be missing.
    if (verification.isWhole || (await findEnds(db))?.first_seq === ends.first_seq) return verification
  }
}

async function verifyBetween(
  db: Db,
  ends: AuditEnds,
  since: NotedHead | undefined,
  keptDays: number,
): Promise<Verification> {
  if (since && since.seq > ends.last_seq) return broken(`Event ${since.seq} is missing: the log ends before it`)
  const cut = await faultAtStart(db, ends)
  if (cut === undefined && since && since.seq < ends.first_seq - 1)
    return broken(`Event ${since.seq} was removed as too old: note a later head`)
  const fault = (await faultIn(db, ends, since)) ?? faultAtEnds(ends) ?? cut
  if (fault !== undefined) return broken(fault)
  const early = await earlyRemovals(db, since?.seq ?? 0, keptDays)
  if (early !== undefined) return { isWhole: false, message: early }
  const count = ends.last_seq + 1 - ends.first_seq
  const words = `${count} events are as they were written, ${ends.first_seq} to ${ends.last_seq}.`
  return { isWhole: true, message: `${words}\nHead, to be noted elsewhere: ${ends.last_seq}:${ends.last_hash}` }
}

/** A head of the log that was noted before. */
interface NotedHead {
  seq: number
  hash: string
}

function headIn(noted: string): NotedHead {
  const [seq = '', hash = ''] = noted.split(':')
  return { seq: Number(seq), hash }
}

function broken(fault: string): Verification {
  return { isWhole: false, message: `The audit log is not as it was written. ${fault}.` }
}

/** The first event that is not as it was, or not where it was. */
async function faultIn(db: Db, ends: AuditEnds, since: NotedHead | undefined): Promise<string | undefined> {
  if (ends.least !== null && ends.least < ends.first_seq)
    return `Event ${ends.least} was added before the first, ${ends.first_seq}`
  let [seq, hash] = [ends.first_seq - 1, ends.first_hash]
  const isNoted = () => since?.seq !== seq || since.hash === hash
  if (!isNoted()) return `Before event ${ends.first_seq} there was another one than the noted`
  while (seq < ends.last_seq) {
    const events = await findChained(db, seq, ends.last_seq, batchSize)
    for (const event of events) {
      if (event.seq !== seq + 1) return `Event ${seq + 1} is missing`
      seq = event.seq
      hash = hashOf(hash, event)
      if (hash !== event.hash) return `Event ${seq} was changed, or is in the place of another`
      if (!isNoted()) return `Event ${seq} is another one than the noted`
    }
    if (events.length === 0) return `Event ${seq + 1} is missing`
  }
  return hash === ends.last_hash ? undefined : `Event ${seq} is another one than the last that was written`
}

/** What is removed is told of by an event of the log: the last of them is never removed itself. */
async function faultAtStart(db: Db, { first_seq, last_seq }: AuditEnds): Promise<string | undefined> {
  const told = await findToldStart(db, last_seq)
  return told === first_seq
    ? undefined
    : `It begins with event ${first_seq}, and tells itself that it does with ${told}`
}

function faultAtEnds({ greatest, last_seq }: AuditEnds): string | undefined {
  return greatest !== null && greatest > last_seq
    ? `Event ${greatest} was added after the last, ${last_seq}`
    : undefined
}

/** What was removed sooner than the setting says, whoever says that it was retention; the setting may have been another. */
async function earlyRemovals(db: Db, after: number, keptDays: number): Promise<string | undefined> {
  const early = await findEarlyRemovals(db, after, keptDays)
  if (!early) return undefined
  const { count, seq, hash, at, removed_to: to } = early
  const times = count === 1 ? '' : `, after ${count - 1} more of the kind`
  const what = `Event ${seq}, of ${at.toISOString()}${times}, tells that events up to ${to.toISOString()} were removed`
  const kept =
    keptDays === 0 ? 'AUDIT_RETENTION_DAYS=0 keeps all' : `AUDIT_RETENTION_DAYS=${keptDays} keeps them longer`
  return `${what}: ${kept}.\nWhere that setting was another then, go on from here: audit verify --since ${seq}:${hash}`
}

function hashOf(before: string, { members }: ChainedEvent): string {
  return createHash('sha256')
    .update(Buffer.from(before, 'hex'))
    .update(`[${members.join(', ')}]`)
    .digest('hex')
}
