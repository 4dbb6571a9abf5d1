import type { Context } from 'hono'
import { ProblemError } from '../http/problem.ts'
import type { Answer, Call } from './calls.ts'
import { safeNext } from './forms.ts'
import { authorizePath, formTargetsFor } from './leaving.tsx'

/** The authorization request of an application that led to a page. */
export interface OAuthRequest {
  /** As it was signed: what the provider wants back. */
  query: string
  client: { name: string; uri: string | undefined }
  scopes: string[]
  /** Whom the application expects. */
  loginHint: string
  /** What the policy of the page must let forms lead to. */
  formTargets: string[]
}

/**
 * Reads a request that the provider signed.
 * @param query as it stands in the address of the page, or in its form; without a signature there is no request
 * @throws ProblemError `malformed-request` for one that was changed or has expired
 */
export async function oauthRequestOf(c: Context, call: Call, query: string): Promise<OAuthRequest | undefined> {
  const parameters = new URLSearchParams(query)
  if (!parameters.has('sig')) return undefined
  const answer = await call(c, 'POST', '/api/auth/oauth2/public-client-prelogin', {
    client_id: parameters.get('client_id') ?? '',
    oauth_query: query,
  })
  if (answer.status === 429) {
    throw new ProblemError('rate-limited', undefined, { headers: { 'retry-after': answer.retryAfter ?? '60' } })
  }
  if (answer.status >= 500) throw new ProblemError('dependency-unavailable')
  if (!answer.isOk) {
    const detail = 'This request to sign in has expired, or was changed. Go back to the application and start again.'
    throw new ProblemError('malformed-request', detail)
  }
  const { client_name, client_uri } = answer.body as { client_name?: string; client_uri?: string }
  return {
    query,
    client: { name: client_name ?? 'An application', uri: client_uri },
    scopes: parameters.get('scope')?.split(' ').filter(Boolean) ?? [],
    loginHint: parameters.get('login_hint') ?? '',
    formTargets: formTargetsFor(parameters.get('redirect_uri') ?? ''),
  }
}

/** Where people go on later: to the page that they wanted, or with the request of an application, made anew. */
export function onwardOf(next: string | undefined, query: string | undefined): string {
  return query === undefined ? safeNext(next) : requestAgain(query)
}

/** Where a mailed link leads in the end, if the address is to be confirmed first. */
export function mailedOnward(next: string | undefined, query: string | undefined): string | undefined {
  const onward = onwardOf(next, query)
  return onward === '/account' ? undefined : onward
}

/**
 * The address with which an application made a request that was signed since. The signature is good for ten minutes;
 * who comes back later makes the request anew, and has just signed in, which need not be asked for again.
 */
function requestAgain(query: string): string {
  const parameters = new URLSearchParams(query)
  const isConsentAsked = parameters.get('prompt')?.split(' ').includes('consent')
  for (const name of [...signedNames, 'prompt']) parameters.delete(name)
  if (isConsentAsked) parameters.set('prompt', 'consent')
  return `${authorizePath}?${parameters.toString()}`
}

// What the provider adds to a request when it signs it.
const signedNames = ['sig', 'exp', 'ba_iat', 'ba_param', 'ba_pl']

/** Where the provider leads on, once it is known who signs in for a request. */
export function onwardUrl({ body }: Answer, query: string | undefined): string | undefined {
  const { url } = (body ?? {}) as { url?: unknown }
  return query !== undefined && typeof url === 'string' ? url : undefined
}

/** The query of the address of a page, as it stands there. */
export function queryOf(c: Context): string {
  return new URL(c.req.url).search.slice(1)
}
