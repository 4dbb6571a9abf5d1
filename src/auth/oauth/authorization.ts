import { type APIError, isAPIError } from 'better-auth/api'
import type { Db } from '../../db/database.ts'
import { type EndpointContext, wrapEndpoint } from '../endpoint.ts'
import { actorOf } from '../endpoints/guard.ts'
import { decodeJwt } from '../jwt.ts'
import { navigated } from '../navigation.ts'
import { findRedirection } from './client.queries.ts'
import { apiScopesOf, tidyScope } from './scopes.ts'

type Parameters = Record<string, unknown>

interface AuthorizationOptions {
  db: Db
  issuer: string
  /** What tokens for scopes of `/api/v1` are for. */
  resource: string
}

// Claims of one's choice would be given without the consent page telling of them, and no resource checks a bound key.
const unheard = new Set(['claims', 'dpop_jkt'])

/**
 * The authorization endpoint. A client that asks for scopes of `/api/v1` without naming it as the resource gets a token
 * for it. The answer is a redirection, whoever asks.
 * @see RFC 6749 section 4.1.2, RFC 8707 section 2
 */
export function guardAuthorization<E>(endpoint: E, { db, issuer, resource }: AuthorizationOptions): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const { query, body } = context
    const given = (body ?? query ?? {}) as Parameters
    const { parameters: heard, isOnDevice } = await strictly(db, named(supported(given), resource))
    const isSilent = isOnDevice && asks(heard, 'none')
    const parameters = {
      ...heard,
      ...(isOnDevice && { prompt: withConsent(heard['prompt']) }),
      ...((await isForAnother(db, context, given)) && { max_age: '0' }),
    }
    const plain = navigated(context)
    const answering = call(body === undefined ? { ...plain, query: parameters } : { ...plain, body: parameters })
    if (isSilent) return answering.catch(asError(parameters, issuer))
    return asks(given, 'create') ? answering.catch(toSignUp) : answering
  })
}

/** @see OpenID Connect Core 1.0 section 3.1.2.1, Initiating User Registration via OpenID Connect 1.0 */
function asks({ prompt }: Parameters, value: 'none' | 'create'): boolean {
  return typeof prompt === 'string' && prompt.split(' ').includes(value)
}

/**
 * Any program on a device may listen where the client does, or take its scheme: people are asked each time, whatever
 * they allowed before. @see RFC 8252 section 8.6
 */
function withConsent(prompt: unknown): unknown {
  if (prompt === undefined) return 'consent'
  if (typeof prompt !== 'string') return prompt
  return prompt.trim() === 'none' ? 'consent' : `${prompt} consent`
}

/** Where a page would ask, the client is told which, if it wants nobody to be asked. */
function asError({ redirect_uri, state }: Parameters, issuer: string): (answer: unknown) => never {
  return (answer) => {
    if (isAPIError(answer)) {
      const page = /^\/(sign-in|consent)\?/.exec(locationOf(answer))?.[1]
      const error = page === 'consent' ? 'consent_required' : 'login_required'
      const query = { error, ...(typeof state === 'string' && { state }), iss: issuer }
      if (page !== undefined) answer.headers = { location: withQuery(String(redirect_uri), query) }
    }
    throw answer
  }
}

function withQuery(uri: string, query: Record<string, string>): string {
  const url = new URL(uri)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

function locationOf({ headers }: APIError): string {
  return new Headers(headers).get('location') ?? ''
}

/** Who is asked to sign in makes an account instead, with which they are signed in. */
function toSignUp(answer: unknown): never {
  if (isAPIError(answer)) {
    const location = locationOf(answer).replace(/^\/sign-in\?/, '/sign-up?')
    if (location !== '') answer.headers = { location }
  }
  throw answer
}

function named(parameters: Parameters, resource: string): Parameters {
  const { scope } = parameters
  const isWanted = typeof scope !== 'string' || apiScopesOf(scope).length > 0
  return isWanted && parameters['resource'] === undefined ? { ...parameters, resource } : parameters
}

/** The request without what the provider would take, though it should not. */
function supported(parameters: Parameters): Parameters {
  const heard = Object.fromEntries(Object.entries(parameters).filter(([name]) => !unheard.has(name)))
  const { response_mode, code_challenge, scope } = heard
  return {
    ...heard,
    scope: tidyScope(scope),
    // The provider would answer in the query all the same. A type of response that it does not know it refuses.
    ...(response_mode !== undefined && response_mode !== 'query' && { response_type: 'code in another mode' }),
    // The provider would ask whoever has made an account to make one again.
    ...(asks(parameters, 'create') && { prompt: String(heard['prompt']).replace(/\bcreate\b/, 'login') }),
    // RFC 7636 section 4.2: 32 bytes. Without one a request is refused.
    ...(code_challenge !== undefined && !isChallenge(code_challenge) && { code_challenge: undefined }),
  }
}

function isChallenge(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]{43}$/.test(value)
}

/**
 * Whether the client expects another user than the one who is signed in, who is to sign in then.
 * @see OpenID Connect Core 1.0 section 3.1.2.2
 */
async function isForAnother(db: Db, context: EndpointContext, { id_token_hint: hint }: Parameters): Promise<boolean> {
  if (hint === undefined) return false
  const actor = await actorOf(db, context)
  return actor !== undefined && subjectOf(hint) !== actor.id
}

/** Of whom an ID token tells. Its signature is not asked for: a hint can only narrow who may sign in. */
export function subjectOf(idToken: unknown): string | undefined {
  return typeof idToken === 'string' ? decodeJwt(idToken)?.claims.sub : undefined
}

/**
 * The request without an address to return to that is not quite one of the client's: the provider would take any port of
 * this machine, which is for applications on a device. @see RFC 8252 section 7.3
 */
async function strictly(db: Db, parameters: Parameters) {
  const { client_id, redirect_uri } = parameters
  const found = await findRedirection(db, String(client_id), String(redirect_uri))
  const isFit = !found || found.is_registered || found.is_public
  return {
    parameters: isFit ? parameters : { ...parameters, redirect_uri: undefined },
    isOnDevice: found?.is_public === true && !String(redirect_uri).startsWith('https:'),
  }
}
