import type { Db, Tx } from '../../db/database.ts'
import { noteEvent } from '../audit.queries.ts'

interface TokenRequest {
  /** Whose request it is; undefined of one that the provider refuses at once. */
  client: string | undefined
  grantType: unknown
}

/** A request for tokens that was refused. */
export interface Refusal extends TokenRequest {
  userId: string | undefined
  isReused: boolean
  reason: unknown
}

/** Tells the audit log that a client was given tokens, for a user or for itself: most of them leave no row. */
export async function noteIssued(
  trx: Tx,
  { client, grantType, userId, answer }: TokenRequest & { userId: string | undefined; answer: unknown },
): Promise<void> {
  const { response = answer } = (answer ?? {}) as { response?: unknown }
  const { scope = null } = (response ?? {}) as { scope?: string | null }
  const changes = { clientId: client, grantType, scope }
  await noteEvent(trx, { action: 'token.issued', target: targetOf(client, userId), changes })
}

/**
 * Tells it that a client which has proven itself was refused tokens, and whether what it presented was used before. Of a
 * request that names no client nothing is told: strangers can make any number of them.
 */
export async function noteRefused(db: Db, refusal: Refusal): Promise<void> {
  const { client, grantType, userId, isReused, reason } = refusal
  if (client === undefined) return
  await noteEvent(db, {
    action: isReused ? 'token.reused' : 'token.refused',
    target: targetOf(client, userId),
    changes: { clientId: client, grantType },
    reason: String(reason),
  })
}

/** Tells it that a client gave a token back; `token.reused`: one that was over, with which all that it held for the user ended. */
export async function noteEnded(
  trx: Tx,
  action: 'token.revoked' | 'token.reused',
  client: string | undefined,
  userId: string | undefined,
): Promise<void> {
  await noteEvent(trx, { action, target: targetOf(client, userId), changes: { clientId: client } })
}

function targetOf(client: string | undefined, userId: string | undefined) {
  if (userId !== undefined) return { type: 'user', id: userId } as const
  return client === undefined ? null : ({ type: 'client', id: client } as const)
}
