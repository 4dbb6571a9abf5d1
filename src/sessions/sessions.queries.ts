import { sql } from 'kysely'
import { countRows, type Total } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import type { Position } from '../http/cursor.ts'
import { type SessionRow, sessionColumns } from '../resources/session.ts'

/** One live session, or undefined. */
export function findSession(db: Db, id: string): Promise<SessionRow | undefined> {
  return db
    .selectFrom('session')
    .select(sessionColumns)
    .where('id', '=', id)
    .where('expires_at', '>', new Date())
    .executeTakeFirst()
}

/** The live sessions of a user, newest first, after a position: at most `limit` of them. */
export function listSessions(
  db: Db,
  userId: string,
  { after, limit }: { after: Position | undefined; limit: number },
): Promise<SessionRow[]> {
  let query = db
    .selectFrom('session')
    .select(sessionColumns)
    .where('user_id', '=', userId)
    .where('expires_at', '>', new Date())
  if (after) {
    const [createdAt, id] = after
    query = query.where(sql<boolean>`(created_at, id) < (${new Date(createdAt)}, ${id})`)
  }
  return query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
}

/** How many live sessions a user has. */
export function countSessions(db: Db, userId: string): Promise<Total> {
  return countRows(
    db,
    db.selectFrom('session').select('id').where('user_id', '=', userId).where('expires_at', '>', new Date()),
  )
}

/** Where a page that ends with this row is continued. */
export function positionOf(row: SessionRow): Position {
  return [row.created_at.getTime(), row.id]
}

/** Ends one session of a user; false when the user has none of that id. */
export async function revokeSession(db: Db, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('session')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
