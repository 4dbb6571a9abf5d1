import type { KeyObject } from 'node:crypto'
import type { Db } from '../../db/database.ts'
import { shareWork } from '../../db/shared-work.ts'
import { transactionOr } from '../auth-transaction.ts'
import { importPublicKey, isJwtAlgorithm, type JwtAlgorithm } from './signature.ts'
import { findKeys, type KeyRow } from './signing-keys.queries.ts'

/** A key pair as the database has it. The same object from one reading to the next for as long as its row stays the same. */
export interface Key {
  readonly row: KeyRow
  /** What checks its signatures; undefined where the row makes no usable key. */
  readonly verification: { readonly algorithm: JwtAlgorithm; readonly publicKey: KeyObject } | undefined
  /** When it begins and stops to sign, in milliseconds since the epoch. */
  readonly activeAt: number
  readonly endsAt: number
}

/** The key pairs by id, in the order in which they begin to sign. */
export type KeySet = ReadonlyMap<string, Key>

/** The `jwks` table in memory, for all who sign, verify and publish. */
export interface KeyRows {
  /**
   * The keys as they are, as far as the database has told; where that may not have been heard, as they were a quarter of a
   * second ago at most. At once when they are known, else once they are read.
   * @throws what the database answers, to all who wait for it; there is no older set to fall back to
   */
  read: () => KeySet | Promise<KeySet>
  /** Has the table read again by whoever asks next: it was changed. */
  forget: () => void
}

const unheardMaxAgeMs = 250

/**
 * Reads the `jwks` table when it is asked for, once for all who wait, and not again until it may have changed.
 * @param isCurrent whether `forget` has been called for every change
 */
export function createKeyRows(db: Db, isCurrent: () => boolean): KeyRows {
  let latest: KeySet = new Map()
  // On the clock of `performance`: when the reading of the latest began.
  let readAt = Number.NEGATIVE_INFINITY
  let reading: (() => Promise<KeySet>) | undefined
  let changes = 0

  async function load(connection: Db): Promise<KeySet> {
    const [began, changesBefore] = [performance.now(), changes]
    const set = toKeySet(await findKeys(connection), latest)
    if (changes === changesBefore) {
      latest = set
      readAt = began
    }
    return set
  }

  function loadForAll(): () => Promise<KeySet> {
    const loading = shareWork(() =>
      load(db).finally(() => {
        if (reading === loading) reading = undefined
      }),
    )
    return loading
  }

  return {
    read() {
      if (performance.now() - readAt < (isCurrent() ? Infinity : unheardMaxAgeMs)) return latest
      const connection = transactionOr(db)
      // Within a transaction on its own: what others wait for may wait for the connection that the transaction holds.
      return connection === db ? (reading ??= loadForAll())() : load(connection)
    },
    forget() {
      changes++
      readAt = Number.NEGATIVE_INFINITY
      reading = undefined
    },
  }
}

function toKeySet(rows: KeyRow[], former: KeySet): KeySet {
  return new Map(
    rows.map((row) => {
      const known = former.get(row.id)
      return [row.id, known && isSame(known.row, row) ? known : toKey(row)]
    }),
  )
}

function isSame(one: KeyRow, other: KeyRow): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function toKey(row: KeyRow): Key {
  return {
    row,
    verification: verificationOf(row),
    activeAt: row.active_at.getTime(),
    endsAt: row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY,
  }
}

function verificationOf({ alg, public_key }: KeyRow): Key['verification'] {
  const algorithm = alg ?? 'EdDSA'
  if (!isJwtAlgorithm(algorithm)) return undefined
  const publicKey = importPublicKey(public_key, algorithm)
  return publicKey && { algorithm, publicKey }
}
