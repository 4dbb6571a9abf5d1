import { isAPIError } from 'better-auth/api'
import { wrapEndpoint } from '../endpoint.ts'
import { navigated } from '../navigation.ts'

interface Answer {
  response: unknown
  headers?: Headers
}

/** What the provider would ask the person about: where the application wants them afterwards, if it may. */
interface Confirmation {
  clientId?: string
  postLogoutRedirectUri?: string
  state?: string
}

// The provider keeps for its own form here what it would ask.
const confirmationCookie = /^[^=]+\.oauth_logout_confirmation=([^;]*)/

/**
 * The end-session endpoint. Where the provider would show a page it leads to one of ours.
 * @see OpenID Connect RP-Initiated Logout 1.0
 */
export function guardEndSession<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const answer = (await call(navigated(context)).catch(refusal)) as Answer
    if (!(answer.response instanceof Response)) return answer
    const cookies = answer.headers?.getSetCookie() ?? []
    const headers = new Headers({ location: pageFor(answer.response, cookies) })
    for (const cookie of cookies) if (!confirmationCookie.test(cookie)) headers.append('set-cookie', cookie)
    return { ...answer, headers, response: new Response(null, { status: 303 }) }
  })
}

/** A request that the provider cannot read is answered as one that it does not like. */
function refusal(error: unknown): Answer {
  if (!isAPIError(error) || error.statusCode < 400 || error.statusCode >= 500) throw error
  return { response: new Response(null, { status: error.statusCode }) }
}

function pageFor({ status }: Response, cookies: readonly string[]): string {
  if (status >= 400) return '/error?error=invalid_logout'
  const confirmation = cookies.map(confirmationIn).find((found) => found !== undefined)
  if (!confirmation) return '/sign-in?notice=signed-out'
  const { clientId, postLogoutRedirectUri, state } = confirmation
  if (clientId === undefined || postLogoutRedirectUri === undefined) return '/sign-out'
  const query = { client_id: clientId, post_logout_redirect_uri: postLogoutRedirectUri, ...(state && { state }) }
  return `/sign-out?${new URLSearchParams(query).toString()}`
}

/** What a cookie keeps, before its signature; undefined of any other cookie, and of one that is deleted. */
function confirmationIn(cookie: string): Confirmation | undefined {
  const value = decodeURIComponent(confirmationCookie.exec(cookie)?.[1] ?? '')
  return value === '' ? undefined : (JSON.parse(value.slice(0, value.lastIndexOf('.'))) as Confirmation)
}
