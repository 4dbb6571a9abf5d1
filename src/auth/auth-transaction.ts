import { AsyncLocalStorage } from 'node:async_hooks'
import { getCurrentDBAdapterAsyncLocalStorage } from '@better-auth/core/context'
import { kyselyAdapter } from '@better-auth/kysely-adapter'
import type { BetterAuthOptions } from 'better-auth'
import type { Db, Tx } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'

const transactionUnderWay = new AsyncLocalStorage<Tx>()

/** The transaction under way, where there is one: the embedded database has no second connection to wait for. */
export function transactionOr(db: Db): Db {
  return transactionUnderWay.getStore() ?? db
}

/** Whether there is a transaction under way. */
export function isInTransaction(): boolean {
  return transactionUnderWay.getStore() !== undefined
}

/** The transaction under way. @throws Error when there is none */
export function currentTransaction(): Tx {
  const trx = transactionUnderWay.getStore()
  if (!trx) throw new Error('There is no transaction under way')
  return trx
}

/** Counts the address of a user as theirs, in the transaction under way: they used what was mailed to it. */
export async function markEmailVerified(userId: string): Promise<void> {
  const adapter = await currentAdapter()
  await adapter.update({ model: 'user', where: [{ field: 'id', value: userId }], update: { emailVerified: true } })
}

/**
 * Leaves a user nothing but the password to sign in with, in the transaction under way: who has just chosen it reads the
 * mail of the address, and who linked an account before need not.
 */
export async function removeProviders(userId: string): Promise<void> {
  const adapter = await currentAdapter()
  const where = [
    { field: 'userId', value: userId },
    { field: 'providerId', operator: 'ne' as const, value: 'credential' },
  ]
  await adapter.deleteMany({ model: 'account', where })
}

async function currentAdapter() {
  const current = (await getCurrentDBAdapterAsyncLocalStorage()).getStore()
  if (!current) throw new Error('There is no transaction under way')
  return current.adapter
}

/**
 * Runs `work` in one transaction of ours in which Better-Auth's own reads and writes take part: both or neither are kept.
 * Its `after` hooks run once the transaction is committed.
 */
export async function inAuthTransaction<T>(
  db: Db,
  options: BetterAuthOptions,
  work: (trx: Tx, adapter: ReturnType<ReturnType<typeof kyselyAdapter>>) => Promise<T>,
): Promise<T> {
  const storage = await getCurrentDBAdapterAsyncLocalStorage()
  let pendingHooks: (() => Promise<void>)[] = []
  const result = await inTransaction(db, (trx) => {
    pendingHooks = []
    const adapter = kyselyAdapter(trx, { type: 'postgres' })(options)
    return transactionUnderWay.run(trx, () =>
      storage.run({ adapter, pendingHooks, isTransactionActive: true }, () => work(trx, adapter)),
    )
  })
  for (const hook of pendingHooks) await hook()
  return result
}
