import type { Config } from '../config.ts'
import type { Db } from '../db/database.ts'
import { findAuditAhead } from './doctor.queries.ts'
import { type Finding, findingsOf } from './finding.ts'

/** Whether the audit log tells the time: once a clock was ahead, all events are dated as the last of then. */
export async function auditFinding(db: Db, { database }: Config): Promise<Finding> {
  const { ok, warning } = findingsOf('audit-log')
  const ahead = await findAuditAhead(db)
  if (!ahead) return ok('the last event is not dated ahead')
  const until = ahead.until.toISOString()
  return warning(
    `the last event is dated ${ahead.seconds} s ahead of the clock of the database, and so are all others until ${until}`,
    database
      ? `Set that clock by NTP; if it is right already: ${back}`
      : `Set the clock of this machine by NTP; if it is right already, wait until then: the order of events is right`,
  )
}

// The chain stays whole: no hash has the time that the head keeps.
const back =
  'begin; alter table audit_head disable trigger audit_head_moves; update audit_head set last_at = clock_timestamp(); alter table audit_head enable trigger audit_head_moves; commit'
