import { STATUS_CODES } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type Context, Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import type { Config } from '../config.ts'
import { throwOutage } from '../db/outage.ts'
import { announcesBody, assertFormBody, isForm, isJson } from '../http/body.ts'
import { clientAddressHeader } from '../http/client-address.ts'
import { type Env, exchangeOf } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { RequestLimits } from '../request-limits.ts'
import { auditedRequest, noteAuthRequest } from './audit.ts'
import type { Auth, AuthFetch } from './auth.ts'
import { authLimits } from './auth-limits.ts'
import { onCaller } from './caller.ts'
import { exactSessionIn, keepExactSessions } from './exact-session.ts'
import type { SignInTurns } from './hashing/sign-in-turns.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
import { asNavigation } from './navigation.ts'
import { limitClientFailures } from './oauth/client-failures.ts'
import { assertOAuthForm, formPaths, navigationPaths, userInfoPath } from './oauth/forms.ts'
import { providerMetadata } from './oauth/metadata.ts'
import type { Authenticate } from './principal.ts'
import { limitOutbound } from './providers/outbound.ts'
import type { SessionCookies } from './session-cookie.ts'

interface Dependencies {
  config: Config
  auth: Auth
  authFetch: AuthFetch
  keys: SigningKeys
  requestLimits: RequestLimits
  authenticate: Authenticate
  sessionCookies: SessionCookies
  clientAddress: (incoming: Env['Bindings']['incoming']) => string
}

// By these a client could choose its own address or host, or bind a token to a key for which nobody asks later.
const dropped = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'dpop']

const base = '/api/auth'

// The longest has a provider or a token in it.
const maxPathLength = 512

// A client proves itself there, or shows an access token, and nobody a session.
const clientPaths = new Set([...formPaths, userInfoPath])

const metadataPaths = [
  '/api/auth/.well-known/openid-configuration',
  '/api/auth/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/api/auth',
]
/** What an application in a browser asks of the OAuth provider, wherever it is from: nothing there asks for a cookie. */
export const openPaths: ReadonlySet<string> = new Set([
  ...metadataPaths,
  '/api/auth/jwks',
  '/api/auth/oauth2/token',
  '/api/auth/oauth2/revoke',
  userInfoPath,
])
/** Each request that comes here hashes a password, whoever it is for. */
export const signInPath = '/api/auth/sign-in/email'

/** `/api/auth/*`: Better-Auth, told the true address of the client, and the JWKS. */
export function authHandler(dependencies: Dependencies) {
  const { config, auth, authFetch, keys, requestLimits, clientAddress, authenticate, sessionCookies } = dependencies
  const endpoints = new Set(Object.values(auth.api).map(({ path }) => `/api/auth${path}`))
  // The provider asks for our keys by HTTP, at an address that may lead nowhere from here.
  const own = { [`${config.baseUrl}/api/auth/jwks`]: () => keys.published() }
  return (
    new Hono<Env>()
      .on('GET', metadataPaths, async (c) =>
        c.json(await providerMetadata(auth), 200, { 'cache-control': 'public, max-age=60', vary: 'Origin' }),
      )
      .get('/api/auth/jwks', async (c) =>
        c.json(await keys.published(), 200, {
          'cache-control': 'public, max-age=60, stale-while-revalidate=60',
          vary: 'Origin',
        }),
      )
      .use('/api/auth/*', authLimits({ requestLimits, endpoints, clientAddress }))
      // A browser sends our cookies with a link of another site, and not with a form: OpenID Connect Core 1.0 section 3.1.2.1.
      .on('POST', navigationPaths, async (c) => c.redirect(`${c.req.path}?${await formOf(c)}`, 303))
      .on('POST', userInfoPath, assertOAuthForm)
      .on('ALL', formPaths, assertOAuthForm, limitClientFailures({ attempts: requestLimits.attempts, clientAddress }))
      .on(['GET', 'POST'], '/api/auth/*', async (c) => {
        if (c.req.path.length > maxPathLength) throw new ProblemError('not-found')
        // Only a path without parameters is its own pattern; the others may hold a token.
        const exchange = exchangeOf(c)
        if (endpoints.has(c.req.path) && exchange.route === routePath(c)) exchange.route = c.req.path
        const request = await requestOf(c, clientAddress(c.env.incoming), sessionCookies)
        onCaller(request, (userId) => {
          exchange.principal = userId
        })
        const answering = auditedRequest(c, clientAddress, async () => {
          await noteAuthRequest(
            c.req.path.slice(base.length),
            exactSessionIn(request.headers, sessionCookies.name),
            authenticate,
          )
          return throwOutage(() => limitOutbound(() => authFetch(request), own))
        })
        const response = await explained(c.req.path, await answering)
        // RFC 6749 section 5.1 wants it beside Cache-Control.
        if (c.req.path.startsWith('/api/auth/oauth2/')) response.headers.set('pragma', 'no-cache')
        return response
      })
  )
}

/**
 * Lets sign-ins begin in turn, and refuses those whose passwords there is no time to check now, before anything of them is
 * read. A little later, each at another time: who tries again at once, with many others, leaves time for everybody else.
 */
export function signInsInTurn({ begin }: SignInTurns) {
  return createMiddleware<Env>(async (_, next) => {
    try {
      await begin()
    } catch (refusal) {
      await pause(20 + 20 * Math.random())
      throw refusal
    }
    await next()
  })
}

/** The request as Better-Auth is given it. */
async function requestOf(c: Context, address: string, sessionCookies: SessionCookies): Promise<Request> {
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
  const headers = new Headers(c.req.raw.headers)
  for (const name of dropped) headers.delete(name)
  headers.set(clientAddressHeader, address)
  const isOfClient = clientPaths.has(c.req.path)
  if (!isOfClient) keepExactSessions(headers, sessionCookies)
  sessionCookies.resign(headers)
  // Whoever comes back from a provider is led on, to the application for which they signed in if there is one.
  if (c.req.path.startsWith('/api/auth/callback/')) asNavigation(headers)
  // It asks where a request is from only if that has cookies: one without may give a browser those of somebody else.
  else if (!isOfClient && isOfPage(headers) && !headers.has('cookie')) headers.set('cookie', '')
  // What comes with a GET means nothing: RFC 9110 section 9.3.1.
  const body = method === 'GET' ? null : await readableBody(c)
  if (!body) for (const name of ['content-type', 'content-length', 'transfer-encoding']) headers.delete(name)
  return new Request(c.req.url, { method, headers, body })
}

/** Whether a browser sends it for a page, of whatever site. */
function isOfPage(headers: Headers): boolean {
  return headers.has('origin') || headers.get('sec-fetch-site') === 'cross-site'
}

/** The body if there is one, of a type that Better-Auth may know: it takes whatever begins like JSON for JSON in UTF-8. */
async function readableBody(c: Context): Promise<ArrayBuffer | null> {
  if (!announcesBody((name) => c.req.header(name))) return null
  const body = await c.req.arrayBuffer()
  if (body.byteLength === 0) return null
  if (!isJson(c.req.header('content-type')) && !isForm(c)) throw new ProblemError('unsupported-media-type')
  return body
}

/** What a form asks for, as a query. @throws ProblemError `unsupported-media-type` for a body that is none */
async function formOf(c: Context): Promise<string> {
  assertFormBody(c)
  return new URLSearchParams(await c.req.text()).toString()
}

/** Better-Auth says nothing of a path or a type that it does not know, and of some refusals not what they are. */
async function explained(path: string, response: Response): Promise<Response> {
  const { status, headers } = response
  if (status === 404 && !headers.get('content-type')?.startsWith('application/json')) {
    throw new ProblemError('not-found')
  }
  if (status === 415) headers.set('accept', 'application/json')
  // It refuses a method of /get-session alone: RFC 9110 section 15.5.6.
  if (status === 405) headers.set('allow', 'GET, HEAD')
  if (status >= 400 && !path.startsWith('/api/auth/oauth2/')) return named(response)
  // It calls nothing JSON, too: RFC 9110 section 8.3.
  if (status >= 300 && status < 400) headers.delete('content-type')
  return response
}

/** A refusal as `{code, message}`, of which either may be missing: then it is that of its status. */
async function named(response: Response): Promise<Response> {
  const { status, headers } = response
  if (response.body !== null && !headers.get('content-type')?.startsWith('application/json')) return response
  const text = await response.text()
  const message = STATUS_CODES[status] ?? 'Refused'
  const code = message.replaceAll(/\W+/g, '_').toUpperCase()
  const body = { code, message, ...(text === '' ? {} : (JSON.parse(text) as object)) }
  headers.set('content-type', 'application/json')
  return new Response(JSON.stringify(body), { status, headers })
}
