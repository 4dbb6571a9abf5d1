import { AsyncLocalStorage } from 'node:async_hooks'
import type { KeyObject } from 'node:crypto'
import { auditedAs, upkeepActor } from '../../db/audit-context.ts'
import { shareWork } from '../../db/shared-work.ts'
import { ProblemError } from '../../http/problem.ts'
import { isInTransaction } from '../auth-transaction.ts'
import type { Secrets } from '../secrets.ts'
import type { Key } from './key-rows.ts'
import { keyMint, openKey } from './mint-key.ts'
import { type JwtAlgorithm, signText } from './signature.ts'
import type { SigningKeys } from './signing-keys.ts'

type Members = Record<string, unknown>

/** Signs what the service hands out: session JWTs, access tokens and ID tokens. */
export interface TokenSigner {
  /**
   * A JWT in compact form, whose header names the key that signs now, after the members given.
   * @throws ProblemError `dependency-unavailable` within a transaction when there is no key, and what the database answers
   * @see RFC 7515 section 7.1
   */
  sign: (claims: Members, header?: Members) => Promise<string>
  /** The algorithm of what is signed within `inOneAlgorithm`; elsewhere the configured one. */
  algorithm: () => JwtAlgorithm
  /**
   * Runs `work`, in which all is signed with one algorithm: an ID token holds the hash of an access token, which its own
   * algorithm decides. Where there is no key one is made before. @see OpenID Connect Core 1.0 section 3.1.3.6
   */
  inOneAlgorithm: <T>(work: () => Promise<T>) => Promise<T>
}

interface SignerOptions {
  keys: SigningKeys
  algorithm: JwtAlgorithm
  /** What the private halves are encrypted with; a new one with the first. */
  secrets: Secrets
  /** The clock by which tokens begin and end, in milliseconds since the epoch; that of this machine when left out. */
  now?: () => number
}

/** Signs in memory: a private key is decrypted once, and used for as long as it is the current one in the database. */
export function createTokenSigner({ keys, algorithm, secrets, now = () => Date.now() }: SignerOptions): TokenSigner {
  const opened = new WeakMap<Key, Promise<KeyObject>>()
  const chosen = new AsyncLocalStorage<JwtAlgorithm>()
  const mint = keyMint(algorithm, secrets.current)
  let minting: (() => Promise<void>) | undefined

  function open(key: Key): Promise<KeyObject> {
    const known = opened.get(key)
    if (known) return known
    const opening = openKey(secrets.all, key.row)
    opened.set(key, opening)
    opening.catch(() => opened.delete(key))
    return opening
  }

  async function current(): Promise<{ key: Key; algorithm: JwtAlgorithm }> {
    let key = await keys.current(chosen.getStore())
    if (!key) {
      // The embedded database has one connection, which the transaction holds; and what it makes may be undone.
      if (isInTransaction()) throw new ProblemError('dependency-unavailable')
      minting ??= shareWork(() =>
        auditedAs(upkeepActor, () => keys.maintain(mint)).finally(() => {
          minting = undefined
        }),
      )
      await minting()
      key = await keys.current()
    }
    if (!key?.verification) throw new Error('There is no signing key')
    return { key, algorithm: key.verification.algorithm }
  }

  return {
    async sign(claims, header) {
      const { key, algorithm: alg } = await current()
      const text = `${segment({ ...header, alg, kid: key.row.id })}.${segment(shifted(claims, now() - Date.now()))}`
      return `${text}.${signText(alg, await open(key), text).toString('base64url')}`
    },
    algorithm: () => chosen.getStore() ?? algorithm,
    inOneAlgorithm: async (work) => chosen.run((await current()).algorithm, work),
  }
}

// Better-Auth reads them from the clock of this machine.
const times = ['iat', 'nbf', 'exp']

/** The same times on a clock that is ahead by so much, in milliseconds. */
function shifted(claims: Members, aheadMs: number): Members {
  const seconds = Math.round(aheadMs / 1_000)
  if (seconds === 0) return claims
  const moved = times.flatMap((name) => (typeof claims[name] === 'number' ? [[name, claims[name] + seconds]] : []))
  return { ...claims, ...(Object.fromEntries(moved) as Members) }
}

function segment(members: Members): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url')
}
