import { AsyncLocalStorage } from 'node:async_hooks'
import { APIError } from 'better-auth/api'
import type { Db, Tx } from '../db/database.ts'
import { databaseFailure } from '../db/failure.ts'
import { inAuthTransaction } from './auth-transaction.ts'
import type { Endpoint, EndpointContext } from './endpoint-guard.ts'
import { endTokensOfCode, isImpersonated, saveGrant } from './oauth.queries.ts'
import { hashSecret } from './oauth-secret.ts'

interface Exchange {
  trx: Tx
  /** Of the code that is exchanged. */
  codeHash: string | undefined
}

const exchanges = new AsyncLocalStorage<Exchange>()

interface TokenOptions {
  db: Db
  /** What a machine's token is for, which it need not say. */
  resource: string
}

/**
 * The token endpoint with all its writes in one transaction: codes and refresh tokens that come twice at once wait for
 * each other, and who is not the client does not use up a code. What a refused request ends is ended all the same.
 * @see RFC 6749 section 5.2, RFC 7636 section 4.6
 */
export function guardToken<E>(endpoint: E, { db, resource }: TokenOptions): E {
  const original = endpoint as unknown as Endpoint
  const guarded = async (context: EndpointContext) => {
    const body = { ...(context.body as Record<string, unknown> | undefined) }
    if (body['grant_type'] === 'client_credentials') body['resource'] ??= resource
    const isCode = body['grant_type'] === 'authorization_code' && typeof body['code'] === 'string'
    const codeHash = isCode ? hashSecret(body['code'] as string) : undefined
    const outcome = await inAuthTransaction(db, context.context.options, (trx, adapter) => {
      context.context.adapter = adapter
      return exchanges.run({ trx, codeHash }, () => settled(original, { ...context, body }))
    }).catch((error: unknown) => {
      throw refusedGrant(error) ?? error
    })
    if ('answer' in outcome) return outcome.answer
    throw corrected(outcome.error)
  }

  return Object.assign(guarded, endpoint)
}

/** What became of a request; only an error after which nothing is to be kept is thrown. */
async function settled(endpoint: Endpoint, context: EndpointContext) {
  try {
    return { answer: await endpoint(context) }
  } catch (error) {
    if (!(error instanceof APIError) || codeOf(error) === 'invalid_client' || error.statusCode >= 500) throw error
    const { trx, codeHash } = current()
    if (codeHash && codeOf(error) === 'invalid_grant') await endTokensOfCode(trx, codeHash)
    return { error }
  }
}

/** Notes for what a code is exchanged. Called by the provider before it makes a token. */
export async function recordGrant({ user, scopes, verificationValue }: GrantInfo): Promise<Record<string, unknown>> {
  const clientId = verificationValue?.query.client_id
  if (user && clientId) {
    const { trx, codeHash } = current()
    // Whoever acts as somebody else looks at their account: no application is to take them for that person.
    if (await isImpersonated(trx, verificationValue.sessionId)) throw invalidGrant('the session is impersonated')
    await saveGrant(trx, { userId: user.id, clientId, scopes, codeHash })
  }
  return {}
}

interface GrantInfo {
  user?: { id: string } | null
  scopes: readonly string[]
  verificationValue?: { query: { client_id: string }; sessionId: string }
}

function current(): Exchange {
  const exchange = exchanges.getStore()
  if (!exchange) throw new Error('There is no token request under way')
  return exchange
}

/** The provider calls some grants that are no good an invalid request, and answers 401 where no client failed. */
function corrected(error: APIError): APIError {
  const code = codeOf(error)
  const isGrant = code === 'invalid_user' || error.statusCode === 401 || isGone(error)
  return isGrant && code !== 'invalid_client' ? invalidGrant(String(error.body?.['error_description'])) : error
}

function isGone({ body }: APIError): boolean {
  return ['session no longer exists', 'user not found'].includes(String(body?.['error_description']))
}

/** The database refuses tokens of who is banned, and of a grant that has ended. */
function refusedGrant(error: unknown): APIError | undefined {
  const failure = databaseFailure(error)
  const isRefused = failure?.kind === 'constraint' && ['user_banned', 'oauth_grant_ended'].includes(failure.constraint)
  return isRefused ? invalidGrant('the grant has ended') : undefined
}

function codeOf({ body }: APIError): unknown {
  return body?.['error']
}

function invalidGrant(description: string): APIError {
  return new APIError('BAD_REQUEST', { error: 'invalid_grant', error_description: description })
}
