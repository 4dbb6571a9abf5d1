import { AsyncLocalStorage } from 'node:async_hooks'
import { APIError, isAPIError } from 'better-auth/api'
import { noteAudit } from '../../db/audit-context.ts'
import type { Db, Tx } from '../../db/database.ts'
import { databaseFailure } from '../../db/failure.ts'
import { type EndpointContext, wrapEndpoint } from '../endpoint.ts'
import type { TokenSigner } from '../keys/token-signer.ts'
import { subjectOf } from './authorization.ts'
import { authenticateClient } from './client.ts'
import {
  endTokensOfCode,
  endTokensOfFamily,
  type HeldCode,
  type HeldToken,
  holdClient,
  holdCode,
  holdRefreshToken,
  isImpersonated,
  saveGrant,
} from './oauth.queries.ts'
import { tidyScope } from './scopes.ts'
import { hashSecret } from './secret.ts'
import { noteIssued, noteRefused, type Refusal } from './token-events.ts'
import { asChallenge, errorCode, isRefusal, keepingRefusals } from './transaction.ts'

interface Exchange {
  trx: Tx
  /** Of the code that is exchanged. */
  codeHash: string | undefined
}

const exchanges = new AsyncLocalStorage<Exchange>()

interface TokenOptions {
  db: Db
  signer: TokenSigner
  /** What a machine's token is for, which it need not say. */
  resource: string
}

// As the provider takes them once it has cut the blanks off.
const grantTypes: readonly unknown[] = ['authorization_code', 'refresh_token', 'client_credentials']

/**
 * The token endpoint with all its writes in one transaction: codes and refresh tokens that come twice at once wait for
 * each other, and one that comes again ends the access tokens too that were made of it.
 * @see RFC 6749 section 5.2, RFC 7636 section 4.6, RFC 9700 section 4.14
 */
export function guardToken<E>(endpoint: E, { db, signer, resource }: TokenOptions): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const body = toBody(context.body, resource)
    const codeHash = body['grant_type'] === 'authorization_code' ? hashOf(body['code']) : undefined
    const refreshHash = body['grant_type'] === 'refresh_token' ? hashOf(body['refresh_token']) : undefined
    let unwritten: Refusal | undefined
    try {
      const authenticated = await authenticateClient(db, context)
      const client = authenticated?.id
      const exchange = async (trx: Tx) => {
        // What an attempt before this one was to tell.
        unwritten = undefined
        await holdClient(trx, client)
        const code = codeHash === undefined ? undefined : await holdCode(trx, codeHash, client)
        const held = refreshHash === undefined ? undefined : await holdRefreshToken(trx, refreshHash, client)
        const granted = code?.client_id === client ? code : held
        const request = { client, grantType: body['grant_type'], userId: granted?.user_id }
        let isReused = false
        try {
          // Who was not given a code does not use it up, nor ends what it gave.
          if (code && (code.client_id !== client || code.is_old)) throw invalidGrant('invalid code')
          // Where none was granted the provider would give a token for any.
          if (granted?.resources?.length === 0 && (await namesResource(context))) throw invalidTarget()
          const answer = await exchanges
            .run({ trx, codeHash }, () => call({ ...context, body }))
            .catch(async (error: unknown) => {
              if (isAPIError(error) && errorCode(error) === 'invalid_grant')
                isReused = await endReused(trx, { codeHash, code, held })
              throw error
            })
          await noteIssued(trx, { ...request, answer })
          return answer
        } catch (error) {
          const refusal = { ...request, isReused, reason: isRefusal(error) ? errorCode(error) : 'invalid_grant' }
          if (isRefusedByDatabase(error)) unwritten = refusal
          // Where the database has refused it, which the provider may hide, nothing can be written here.
          else if (isRefusal(error)) await noteRefused(trx, refusal).catch(() => (unwritten = refusal))
          throw error
        }
      }
      noteAudit({
        actorType: 'client',
        ...(authenticated && { actorId: authenticated.id, proves: !authenticated.hasSecret }),
      })
      return await signer.inOneAlgorithm(() => keepingRefusals(db, context, exchange))
    } catch (error) {
      if (unwritten && (isRefusal(error) || isRefusedByDatabase(error))) await noteRefused(db, unwritten)
      throw corrected(error)
    }
  })
}

interface Presented {
  codeHash: string | undefined
  code: HeldCode | undefined
  held: HeldToken | undefined
}

/** Ends the access tokens that were made of what is presented a second time. @returns whether it was */
async function endReused(trx: Tx, { codeHash, code, held }: Presented): Promise<boolean> {
  if (codeHash !== undefined) await endTokensOfCode(trx, codeHash)
  if (held) return endTokensOfFamily(trx, held)
  return code !== undefined && code.resources === undefined
}

/** What is asked for, as the provider is to hear it. */
function toBody(given: unknown, resource: string): Record<string, unknown> {
  const body = { ...(given as Record<string, unknown> | undefined) }
  const type = body['grant_type']
  if (typeof type === 'string' && type.trim() !== '' && !grantTypes.includes(type)) throw unsupportedGrantType()
  if (type === 'client_credentials') {
    body['resource'] ??= resource
    if (body['resource'] !== resource) throw invalidTarget()
  }
  if (!isVerifier(body['code_verifier'])) body['code_verifier'] = undefined
  body['scope'] = tidyScope(body['scope'])
  return body
}

/** Whether a form names an API: there may be several, of which the body has the last. @see RFC 8707 section 2 */
async function namesResource({ request }: EndpointContext): Promise<boolean> {
  return request !== undefined && new URLSearchParams(await request.clone().text()).getAll('resource').some(Boolean)
}

function hashOf(value: unknown): string | undefined {
  return typeof value === 'string' ? hashSecret(value) : undefined
}

/** @see RFC 7636 section 4.1 */
function isVerifier(value: unknown): boolean {
  return typeof value === 'string' && /^[\w.~-]{43,128}$/.test(value)
}

/** Notes for what a code is exchanged. Called by the provider before it makes a token. */
export async function recordGrant({ user, scopes, verificationValue }: GrantInfo): Promise<Record<string, unknown>> {
  if (user && verificationValue) {
    const { client_id: clientId, id_token_hint: hint } = verificationValue.query
    const { trx, codeHash } = current()
    if (hint !== undefined && subjectOf(hint) !== user.id) throw invalidGrant('another user was expected')
    // Whoever acts as somebody else looks at their account: no application is to take them for that person.
    if (await isImpersonated(trx, verificationValue.sessionId)) throw invalidGrant('the session is impersonated')
    await saveGrant(trx, { userId: user.id, clientId, scopes, codeHash })
  }
  return {}
}

interface GrantInfo {
  user?: { id: string } | null
  scopes: readonly string[]
  verificationValue?: { query: { client_id: string; id_token_hint?: string | undefined }; sessionId: string }
}

function current(): Exchange {
  const exchange = exchanges.getStore()
  if (!exchange) throw new Error('There is no token request under way')
  return exchange
}

/** The provider calls some grants that are no good an invalid request, and answers 401 where no client failed. */
function corrected(error: unknown): unknown {
  if (isRefusedByDatabase(error)) return invalidGrant('the grant has ended')
  if (!isAPIError(error) || errorCode(error) === 'invalid_client') return asChallenge(error)
  const isGrant = errorCode(error) === 'invalid_user' || error.statusCode === 401 || isGone(error)
  return isGrant ? invalidGrant(String(error.body?.['error_description'] ?? 'the grant is not good')) : error
}

function isGone({ body }: APIError): boolean {
  return ['session no longer exists', 'user not found'].includes(String(body?.['error_description']))
}

/** The database refuses tokens of who is banned, of a grant that has ended, and of what is gone meanwhile. */
function isRefusedByDatabase(error: unknown): boolean {
  const failure = databaseFailure(error)
  return failure?.kind === 'constraint' && /^(user_banned|oauth_grant_ended|oauth_\w+_fkey)$/.test(failure.constraint)
}

// For an API that is none of ours, or that was not granted. @see RFC 8707 section 2
function invalidTarget(): APIError {
  return new APIError('BAD_REQUEST', { error: 'invalid_target', error_description: 'requested resource invalid' })
}

function unsupportedGrantType(): APIError {
  return new APIError('BAD_REQUEST', { error: 'unsupported_grant_type', error_description: 'there is no such grant' })
}

function invalidGrant(description: string): APIError {
  return new APIError('BAD_REQUEST', { error: 'invalid_grant', error_description: description })
}
