import { APIError, isAPIError } from 'better-auth/api'
import type { Db, Tx } from '../../db/database.ts'
import { inAuthTransaction } from '../auth-transaction.ts'
import { type EndpointContext } from '../endpoint.ts'

/**
 * Runs a call of the provider with all its writes in one transaction. What a refused request ends is ended all the same,
 * but who is not the client changes nothing.
 */
export async function keepingRefusals(
  db: Db,
  context: EndpointContext,
  work: (trx: Tx) => Promise<unknown>,
): Promise<unknown> {
  const outcome = await inAuthTransaction(db, context.context.options, (trx, adapter) => {
    context.context.adapter = withoutNoSession(adapter)
    return work(trx).then(
      (answer) => ({ answer }),
      (error: unknown) => {
        if (isRefusal(error)) return { error }
        throw error
      },
    )
  })
  if ('answer' in outcome) return outcome.answer
  throw outcome.error
}

type Adapter = Parameters<Parameters<typeof inAuthTransaction>[2]>[1]

/** The provider would write the session of a refresh token that has none into its tokens, as null. */
function withoutNoSession(adapter: Adapter): Adapter {
  return {
    ...adapter,
    async findOne<T>(query: Parameters<Adapter['findOne']>[0]) {
      const row = await adapter.findOne<T>(query)
      if (query.model !== 'oauthRefreshToken' || !row) return row
      const { sessionId, ...rest } = row as T & { sessionId?: string | null }
      return (sessionId === null ? rest : row) as T
    },
  }
}

/** Whether the provider refused what a client asked for, and not the client. */
export function isRefusal(error: unknown): error is APIError {
  return isAPIError(error) && error.statusCode < 500 && errorCode(error) !== 'invalid_client'
}

/** The `error` of an answer. @see RFC 6749 section 5.2 */
export function errorCode({ body }: APIError): unknown {
  return body?.['error']
}

/** An error as clients are told: one that is not who it says is asked to prove it. @see RFC 6749 section 5.2 */
export function asChallenge(error: unknown): unknown {
  if (!isAPIError(error) || errorCode(error) !== 'invalid_client') return error
  return new APIError('UNAUTHORIZED', error.body, { 'www-authenticate': 'Basic realm="oauth2"' })
}
