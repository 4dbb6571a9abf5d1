import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { createMiddleware } from 'hono/factory'
import type { Db } from '../db/database.ts'
import { announcesBody, assertJsonBody, isJson } from '../http/body.ts'
import { type Env, exchangeOf } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import { noteActor } from './audit.ts'
import { slideSession } from './authority/authority.queries.ts'
import { onceKnown } from './once-known.ts'
import type { Scope } from './permissions.ts'
import type { Authenticate, Authenticated, Credential, Principal } from './principal.ts'
import type { SessionCookies } from './session-cookie.ts'

interface GuardOptions {
  db: Db
  authenticate: Authenticate
  sessionCookies: SessionCookies
  trustedOrigins: readonly string[]
}

type PrincipalEnv = Env & { Variables: { principal: Principal; authenticated: Authenticated } }

/** The middlewares that protect routes. Each answers 401 or 403 before anything of the request is validated. */
export type Guards = ReturnType<typeof createGuards>
export type Requires = Guards['requires']

/** Makes the guards of one service. */
export function createGuards({
  db,
  authenticate: authenticateCredential,
  sessionCookies,
  trustedOrigins,
}: GuardOptions) {
  /** Who makes the request, if anybody does. A credential that is presented must be good. */
  function identify(c: Context<PrincipalEnv>): Principal | undefined | Promise<Principal | undefined> {
    const credential = credentialOf(c, sessionCookies.name)
    if (!credential) return undefined
    if (credential.kind === 'cookie') assertSameSite(c, trustedOrigins)
    return onceKnown(authenticateCredential(credential), (authenticated) => {
      const { principal, slide } = authenticated
      c.set('principal', principal)
      c.set('authenticated', authenticated)
      exchangeOf(c).principal = principal.subject
      if (c.req.method !== 'GET') noteActor(principal)
      if (!slide || credential.kind !== 'cookie' || !principal.sessionId) return principal
      return slideCookie(c, principal, principal.sessionId, credential.value)
    })
  }

  async function slideCookie(c: Context, principal: Principal, sessionId: string, cookie: string): Promise<Principal> {
    await slideSession(db, sessionId, sessionCookies.slideTo())
    c.header('set-cookie', sessionCookies.renew(cookie), { append: true })
    return principal
  }

  function identified(c: Context<PrincipalEnv>): Principal | Promise<Principal> {
    return onceKnown(identify(c), (principal) => {
      if (!principal) throw new ProblemError('unauthenticated')
      return principal
    })
  }

  /** Lets signed-in callers through, and sets `c.var.principal`. */
  const authenticate = createMiddleware<PrincipalEnv>(function authenticate(c, next) {
    return onceKnown(identified(c), () => next())
  })

  /** Lets everybody through; `c.var.principal` is undefined for who presents no credential, or a cookie that is over. */
  const optionalAuthenticate = createMiddleware<
    Env & { Variables: { principal: Principal | undefined; authenticated: Authenticated | undefined } }
  >(async function optionalAuthenticate(c, next) {
    try {
      await identify(c as unknown as Context<PrincipalEnv>)
    } catch (error) {
      // A browser keeps sending its old cookie; a bearer token is sent on purpose.
      const isOldCookie = error instanceof ProblemError && error.status === 401 && !c.req.header('authorization')
      if (!isOldCookie) throw error
    }
    await next()
  })

  /**
   * Lets one of the named roles through, signed in themselves: a client's token is for its scopes, not for a role. Prefer
   * a permission: a role's name says little about what it may do.
   */
  const requiresRole = (...roles: string[]) =>
    createMiddleware<PrincipalEnv>(function requiresRole(c, next) {
      return onceKnown(identified(c), ({ role, clientId, impersonatedBy }) => {
        if (role === null || !roles.includes(role) || clientId !== null || impersonatedBy !== null)
          throw new ProblemError('forbidden')
        return next()
      })
    })

  /**
   * Spread into `createRoute`: documents the permission and enforces it.
   * @param orSelf also lets the user through whose id is the path's `id`; `me` stands for it
   */
  function requires(permission: Scope, { orSelf = false }: { orSelf?: boolean } = {}) {
    const ownScope: Scope = permission.endsWith(':read') ? 'account:read' : 'account:write'
    const middleware = createMiddleware<PrincipalEnv>(function requires(c, next) {
      return onceKnown(identified(c), (principal) => {
        const isSelf = orSelf && isOwn(principal, c.req.param('id'))
        const allowed = principal.permissions.has(permission) || (isSelf && principal.permissions.has(ownScope))
        if (!allowed) throw refusal(principal, isSelf ? ownScope : permission)
        assertJsonBody(c)
        return next()
      })
    })
    return {
      security: [
        // First, as Scalar takes the first until it has read which one we prefer, and no bearer token is there then.
        { cookie: [] as string[] },
        { bearer: [] as string[] },
        ...[permission, ...(orSelf ? [ownScope] : [])].map((scope) => ({ oauth2: [scope as string] })),
      ],
      'x-required-permission': orSelf ? `${permission}, or one's own` : permission,
      middleware,
    }
  }

  return { authenticate, optionalAuthenticate, requires, requiresRole }
}

function isOwn(principal: Principal, id: string | undefined): boolean {
  return principal.kind === 'user' && (id === 'me' || id === principal.subject)
}

// RFC 6750 section 3.1: a token that was not granted the scope says which one it needs.
function refusal({ clientId }: Principal, scope: Scope): ProblemError {
  if (clientId === null) return new ProblemError('forbidden')
  return new ProblemError('insufficient-scope', undefined, {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
  })
}

/** The one credential of a request. A bearer token wins over a cookie, good or bad. */
function credentialOf(c: Context, cookieName: string): Credential | undefined {
  const authorization = c.req.header('authorization')
  if (authorization === undefined) {
    const value = getCookie(c, cookieName)
    return value === undefined ? undefined : { kind: 'cookie', value }
  }
  // Several headers are joined by commas, and may be sent so in one; no token holds any.
  if (authorization.includes(',') && (isRepeated(c, 'authorization') || holdsTwo(authorization))) {
    throw new ProblemError('malformed-request', 'There are two Authorization headers.')
  }
  return { kind: 'bearer', token: bearerToken(authorization) }
}

function holdsTwo(authorization: string): boolean {
  const [, ...more] = authorization.split(',')
  return more.some((part) => /^\s*\S+\s+\S/.test(part))
}

// Node keeps the first of some headers and joins others.
function isRepeated(c: Context, name: string): boolean {
  const { rawHeaders } = (c.env as Env['Bindings']).incoming
  let times = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) times++
  return times > 1
}

const scheme = 'bearer '

/** What is not the text of a token is for its verifier to tell: it is looked through only once. @see RFC 6750 section 2.1 */
function bearerToken(authorization: string): string {
  if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) throw new ProblemError('invalid-token')
  return authorization.slice(scheme.length)
}

/** A cookie is sent by any site's form, so a request that changes something must prove where it comes from. */
function assertSameSite(c: Context, trustedOrigins: readonly string[]): void {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return
  const origin = c.req.header('origin')
  const isTrusted =
    origin === undefined ? c.req.header('sec-fetch-site') === 'same-origin' : trustedOrigins.includes(origin)
  const hasJson = !announcesBody((name) => c.req.header(name)) || isJson(c.req.header('content-type'))
  if (!isTrusted || !hasJson) throw new ProblemError('csrf')
}
