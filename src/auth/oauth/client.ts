import { decodeBasicCredentials } from '@better-auth/core/oauth2'
import { APIError } from 'better-auth/api'
import type { Db } from '../../db/database.ts'
import { isSameText } from '../../http/constant-time.ts'
import { type EndpointContext } from '../endpoint.ts'
import { type ClientProof, findProof } from './client.queries.ts'
import { hashSecret } from './secret.ts'

interface Credentials {
  id: string
  secret: string
  method: 'client_secret_basic' | 'client_secret_post' | 'none'
}

/**
 * Has the client of a request prove itself. The provider asks for that, too, but not before it has used up a code.
 * @returns its id, and whether it has proven by a secret to be that client; undefined of a request that names no client as
 *   the provider reads it, which refuses that at once
 * @throws APIError `invalid_client`
 */
export async function authenticateClient(
  db: Db,
  context: EndpointContext,
): Promise<{ id: string; hasSecret: boolean } | undefined> {
  const given = credentialsIn(context)
  if (!given) return undefined
  const client = await findProof(db, given.id)
  if (!client || client.disabled || !isProven(given, client)) {
    throw new APIError('UNAUTHORIZED', { error: 'invalid_client', error_description: 'the client is not proven' })
  }
  return { id: given.id, hasSecret: given.method !== 'none' }
}

/** Whose request it says it is. */
export function clientOf(context: EndpointContext): string | undefined {
  return credentialsIn(context)?.id
}

/**
 * Which client a request says that it is, and by what it means to prove it; undefined where that cannot be read.
 * @see RFC 6749 section 2.3.1
 */
export function credentialsIn({ headers, body }: Pick<EndpointContext, 'headers' | 'body'>): Credentials | undefined {
  const authorization = headers?.get('authorization') ?? ''
  if (/^basic +/i.test(authorization)) return inHeader(authorization)
  const { client_id: id, client_secret: secret } = (body ?? {}) as Record<string, unknown>
  if (typeof id !== 'string' || id === '') return undefined
  if (typeof secret !== 'string' || secret === '') return { id, secret: '', method: 'none' }
  return { id, secret, method: 'client_secret_post' }
}

function inHeader(authorization: string): Credentials | undefined {
  try {
    const { clientId: id, clientSecret: secret } = decodeBasicCredentials(authorization)
    return { id, secret, method: 'client_secret_basic' }
  } catch {
    return undefined
  }
}

function isProven({ secret, method }: Credentials, client: ClientProof): boolean {
  if (method !== client.method) return false
  if (method === 'none') return true
  return isSameText(hashSecret(secret), client.secret_hash ?? '')
}
