import { auditedAs, upkeepActor } from '../db/audit-context.ts'
import type { Db } from '../db/database.ts'
import type { Log } from '../log.ts'
import { pruneAuditLog } from './audit-retention.queries.ts'
import { allSwept, type Swept, sweepBatch } from './upkeep.queries.ts'

/** Removes what is over, again and again, as long as the service runs. */
export interface Upkeep {
  /** One round, now: all that is due, unless another instance is at it. Logs what fails, and does not throw. */
  run: () => Promise<void>
  /** Begins the rounds, about one a minute. */
  start: () => void
  /** Ends the rounds, and waits for the batch under way. */
  close: () => Promise<void>
}

interface UpkeepOptions {
  db: Db
  log: Log
  /** How many rows go at a time: so long others may have to wait for them, or for the one connection there is. */
  batchSize: number
  /** For how long events of the audit log are kept; 0 for ever. */
  auditDays: number
  /** Makes and removes signing keys. */
  maintainKeys: () => Promise<void>
}

const intervalMs = 60_000
// So that instances that were started together do not come together.
const jitter = 0.5

/** Makes the upkeep of one service; several share the work on one database. */
export function createUpkeep({ db, log, batchSize, auditDays, maintainKeys }: UpkeepOptions): Upkeep {
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | undefined
  let isClosed = false

  async function runAll(): Promise<void> {
    if (isClosed) return
    const failures: { task: string; err: unknown }[] = []
    // What fails keeps nothing else from being done.
    const attempt = <T>(task: string, work: () => Promise<T>) =>
      work().catch((err: unknown) => void failures.push({ task, err }))
    await attempt('keys', maintainKeys)
    let due: readonly Swept[] = allSwept
    while (due.length > 0) {
      // By turns: of what there is much to remove, one batch at a time.
      const more: Swept[] = []
      for (const kind of due) {
        if (isClosed) break
        if ((await attempt(kind, () => sweepBatch(db, kind, batchSize))) === batchSize) more.push(kind)
      }
      due = more
    }
    let hasOldEvents = auditDays > 0
    while (hasOldEvents && !isClosed)
      hasOldEvents = (await attempt('audit', () => pruneAuditLog(db, auditDays))) === true
    const [first] = failures
    if (first) log.error({ err: first.err, failed: failures.map(({ task }) => task) }, 'upkeep failed, trying again')
  }

  function run(): Promise<void> {
    round ??= auditedAs(upkeepActor, runAll).finally(() => {
      round = undefined
    })
    return round
  }

  function start(): void {
    if (isClosed) return
    const delayMs = intervalMs * (1 + jitter * (Math.random() - 0.5))
    timer = setTimeout(() => void run().then(start), delayMs).unref()
  }

  return {
    run,
    start,
    async close() {
      isClosed = true
      clearTimeout(timer)
      await round
    },
  }
}
