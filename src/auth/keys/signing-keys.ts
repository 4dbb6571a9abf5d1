import type { Jwk } from 'better-auth/plugins/jwt'
import type { JSONWebKeySet, JWK } from 'jose'
import type { Db } from '../../db/database.ts'
import { inTransaction } from '../../db/transaction.ts'
import { onceKnown } from '../once-known.ts'
import type { Key, KeyRows, KeySet } from './key-rows.ts'
import type { JwtAlgorithm } from './signature.ts'
import { deleteRetiredKeys, findKeys, insertKey, type KeyRow, lockKeys } from './signing-keys.queries.ts'

/** Which keys there are and when. Times are in milliseconds. */
export interface KeyPolicy {
  algorithm: JwtAlgorithm
  rotationMs: number
  publishAheadMs: number
  /** How long a key still verifies after it has stopped signing. */
  graceMs: number
}

// Longer than any instance's key set is old, so that all know the key by then.
const becomesKnownMs = 60_000

/** Makes a key pair, its private half encrypted. */
export type MintKey = () => Promise<Pick<Jwk, 'publicKey' | 'privateKey' | 'alg' | 'crv'>>

/** The signing keys of all instances, in the `jwks` table. */
export interface SigningKeys {
  /**
   * The one key that signs now, of an algorithm if there is one of it that signs; undefined when none does.
   * @param algorithm the configured one when left out
   */
  current: (algorithm?: JwtAlgorithm) => Key | undefined | Promise<Key | undefined>
  /** What `/api/auth/jwks` publishes: keys that sign, will sign next, or signed within the grace period. */
  published: () => Promise<JSONWebKeySet>
  /** Makes the first key, or the next one ahead of its time, and prunes what is past its grace. Any instance may call it at any time. */
  maintain: (mint: MintKey) => Promise<void>
}

/**
 * Keys that are published before they sign and verify after they stopped, so that no verifier meets an unknown one.
 * @param now the clock by which they do, in milliseconds since the epoch; that of this machine when left out
 */
export function createSigningKeys(db: Db, rows: KeyRows, policy: KeyPolicy, now = () => Date.now()): SigningKeys {
  async function maintain(mint: MintKey): Promise<void> {
    await deleteRetiredKeys(db, new Date(now() - policy.graceMs))
    if (nextActivation(await findKeys(db), policy, now()) === undefined) return
    // Generated before the lock is taken: an RSA key takes a tenth of a second.
    const minted = await mint()
    await inTransaction(db, async (trx) => {
      await lockKeys(trx)
      const activeAt = nextActivation(await findKeys(trx), policy, now())
      if (activeAt === undefined) return
      await insertKey(trx, {
        public_key: minted.publicKey,
        private_key: minted.privateKey,
        alg: minted.alg ?? policy.algorithm,
        crv: minted.crv ?? null,
        active_at: activeAt,
        expires_at: new Date(activeAt.getTime() + policy.rotationMs),
      })
    })
  }

  return {
    current: (algorithm = policy.algorithm) => onceKnown(rows.read(), (set) => signingKeyOf(set, algorithm, now())),
    async published() {
      const limit = now() - policy.graceMs
      const keys = [...(await rows.read()).values()].filter(
        ({ endsAt, verification }) => verification && endsAt > limit,
      )
      return { keys: keys.map(({ row }) => toPublicJwk(row)) }
    },
    maintain: (mint) => maintain(mint).finally(rows.forget),
  }
}

function signingKeyOf(set: KeySet, algorithm: JwtAlgorithm, now: number): Key | undefined {
  // One that has ended signs on while another is made known, and no longer: its tokens would end with its grace.
  const keys = [...set.values()].filter(({ endsAt, verification }) => verification && endsAt + becomesKnownMs > now)
  const begun = keys.filter(({ activeAt }) => activeAt <= now)
  const active = begun.filter(({ endsAt }) => endsAt > now)
  // After a change of JWT_ALGORITHM the old key signs on until the new one has been published.
  const ofAlgorithm = active.filter(({ verification }) => verification?.algorithm === algorithm)
  // Where somebody has removed the one that signs, the next begins early: it is published.
  return ofAlgorithm.at(-1) ?? active.at(-1) ?? begun.at(-1) ?? keys[0]
}

/** When a key that is to be made now begins to sign; undefined when none is needed yet. */
function nextActivation(rows: KeyRow[], { algorithm, publishAheadMs }: KeyPolicy, now: number): Date | undefined {
  const lastEnd = Math.max(...endsOf(rows.filter(({ alg }) => alg === algorithm)))
  if (lastEnd - now > publishAheadMs) return undefined
  if (lastEnd > now) return new Date(lastEnd)
  // As long as another signs, it does until this one is known.
  return new Date(endsOf(rows).some((end) => end + becomesKnownMs > now) ? now + becomesKnownMs : now)
}

function endsOf(rows: KeyRow[]): number[] {
  return rows.map(({ expires_at }) => expires_at?.getTime() ?? Number.POSITIVE_INFINITY)
}

function toPublicJwk(row: KeyRow): JWK {
  const { kty, n, e, crv, x, y } = JSON.parse(row.public_key) as JWK
  return { kid: row.id, alg: row.alg ?? 'EdDSA', use: 'sig', ...JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) }
}
