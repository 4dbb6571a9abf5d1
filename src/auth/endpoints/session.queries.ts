import type { Db } from '../../db/database.ts'

/** The session that has this id or this token, with its token and whose it is; undefined without one. */
export function findNamedSession(db: Db, idOrToken: string): Promise<{ token: string; user_id: string } | undefined> {
  return db
    .selectFrom('session')
    .select(['token', 'user_id'])
    .where(({ or, eb }) => or([eb('id', '=', idOrToken), eb('token', '=', idOrToken)]))
    .executeTakeFirst()
}
