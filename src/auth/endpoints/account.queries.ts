import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'

/** The user, if there is more than one way to sign in to their account. */
export function findOwnerOfSeveral(db: Db, userId: string): Promise<{ email: string } | undefined> {
  return db
    .selectFrom('user')
    .innerJoin('account', 'account.user_id', 'user.id')
    .select('user.email')
    .where('user.id', '=', userId)
    .groupBy('user.id')
    .having((eb) => eb.fn.countAll<number>(), '>', 1)
    .executeTakeFirst()
}

/** Whether a user signs in with a password, beside whatever else. */
export async function hasPassword(db: Db, userId: string): Promise<boolean> {
  const account = await db
    .selectFrom('account')
    .select('id')
    .where('user_id', '=', userId)
    .where('password', 'is not', null)
    .executeTakeFirst()
  return account !== undefined
}

/** The accounts with which a user can sign in: that of a password, and those of these providers. */
export async function findWaysIn(db: Db, userId: string, providerIds: readonly string[]): Promise<string[]> {
  const accounts = await db
    .selectFrom('account')
    .select('id')
    .where('user_id', '=', userId)
    .where(({ eb, or, and }) =>
      or([
        and([eb('provider_id', '=', 'credential'), eb('password', 'is not', null)]),
        sql<boolean>`provider_id = any(${[...providerIds]}::text[])`,
      ]),
    )
    .execute()
  return accounts.map(({ id }) => id)
}
