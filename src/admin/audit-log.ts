import { createHash } from 'node:crypto'
import type { Db } from '../db/database.ts'
import { type AuditEnds, type ChainedEvent, findChained, findEarlyRemoval, findEnds } from './audit-log.queries.ts'

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
 */
export async function verifyAuditLog(db: Db, noted: string | undefined): Promise<Verification> {
  const since = noted === undefined ? undefined : headIn(noted)
  for (;;) {
    const ends = await findEnds(db)
    if (!ends) return broken('The table "audit_head" is empty')
    const verification = await verifyBetween(db, ends, since)
    // What retention removes meanwhile would be missing.
    if (verification.isWhole || (await findEnds(db))?.first_seq === ends.first_seq) return verification
  }
}

async function verifyBetween(db: Db, ends: AuditEnds, since: NotedHead | undefined): Promise<Verification> {
  if (since && since.seq > ends.last_seq) return broken(`Event ${since.seq} is missing: the log ends before it`)
  if (since && since.seq < ends.first_seq - 1)
    return broken(`Event ${since.seq} was removed as too old: note a later head`)
  const fault = (await faultIn(db, ends, since)) ?? faultAtEnds(ends) ?? (await faultOfRemovals(db))
  if (fault !== undefined) return broken(fault)
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

function faultAtEnds({ greatest, last_seq }: AuditEnds): string | undefined {
  return greatest !== null && greatest > last_seq
    ? `Event ${greatest} was added after the last, ${last_seq}`
    : undefined
}

/** Retention leaves at least the last day, whoever says that it was retention. */
async function faultOfRemovals(db: Db): Promise<string | undefined> {
  const seq = await findEarlyRemoval(db)
  return seq === undefined ? undefined : `Event ${seq} tells that events of its own day were removed`
}

function hashOf(before: string, { members }: ChainedEvent): string {
  return createHash('sha256')
    .update(Buffer.from(before, 'hex'))
    .update(`[${members.join(', ')}]`)
    .digest('hex')
}
