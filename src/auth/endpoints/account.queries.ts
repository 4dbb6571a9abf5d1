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

/** The hash of a user's password; undefined for who signs in without one. */
export async function findPasswordHash(db: Db, userId: string): Promise<string | undefined> {
  const account = await db
    .selectFrom('account')
    .select('password')
    .where('user_id', '=', userId)
    .where('password', 'is not', null)
    .executeTakeFirst()
  return account?.password ?? undefined
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
