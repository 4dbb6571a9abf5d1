import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { announcesBody, formType, isForm } from '../../http/body.ts'
import type { Env } from '../../http/exchange.ts'
import type { ProblemError } from '../../http/problem.ts'

const pathOf = (name: string) => `/api/auth/oauth2/${name}`

/** The endpoints to which clients send forms. */
export const formPaths = ['token', 'introspect', 'revoke'].map(pathOf)
/** To this one they may send a token in a form. */
export const userInfoPath = pathOf('userinfo')
/** Where the applications of other sites send browsers to. */
export const navigationPaths = ['authorize', 'end-session'].map(pathOf)
/** The endpoints that refuse by `{error, error_description}`. */
export const oauthPaths: ReadonlySet<string> = new Set([...formPaths, userInfoPath, ...navigationPaths])

/**
 * Refuses what is no form, and a form with a parameter twice, of which the provider would take the last.
 * @see RFC 6749 sections 3.2 and 5.2
 */
export const assertOAuthForm = createMiddleware<Env>(async (c, next) => {
  if (c.req.method !== 'POST') return refusal(c, 405, 'the method is POST')
  if (!announcesBody((name) => c.req.header(name))) return next()
  if (!isForm(c)) return refusal(c, 415, 'the body must be a form')
  const names = [...new URLSearchParams(await c.req.text()).keys()]
  // There may be several resources: RFC 8707 section 2.
  const repeated = names.some((name, at) => name !== 'resource' && names.indexOf(name) !== at)
  return repeated ? refusal(c, 400, 'a parameter is repeated') : next()
})

/** A problem in the form that clients know. @see RFC 6749 section 5.2 */
export function oauthRefusal(c: Context, { slug, status, message, headers }: ProblemError): Response {
  // Of the errors that are registered, these say best whether to try again, and that nothing is wrong with the request.
  const error = status === 429 || status === 503 ? 'temporarily_unavailable' : undefined
  return c.json(
    { error: error ?? (status >= 500 ? 'server_error' : 'invalid_request'), error_description: message },
    slug === 'validation' ? 400 : status,
    {
      ...headers,
      'cache-control': 'no-store',
      pragma: 'no-cache',
    },
  )
}

function refusal(c: Context, status: 400 | 405 | 415, description: string): Response {
  return c.json({ error: 'invalid_request', error_description: description }, status, {
    'cache-control': 'no-store',
    pragma: 'no-cache',
    ...(status === 405 && { allow: 'POST' }),
    ...(status === 415 && { accept: formType }),
  })
}
