import type { Tx } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import type { UserRow } from '../resources/user.ts'
import type { AccessToken, VerifyAccessToken } from './access-token.ts'
import { holdAuthority } from './authority/authority.queries.ts'
import { assertActive, assertIssuedAfter, assertLive, seconds, toPrincipal } from './authority/authority.ts'
import { type AuthorityReader, readAuthority } from './authority/reader.ts'
import { judgeOAuth } from './oauth/authority.ts'
import { holdClient } from './oauth/oauth.queries.ts'
import { onceKnown } from './once-known.ts'
import { covers, type Scope } from './permissions.ts'
import type { Roles } from './roles.ts'
import type { SessionCookies } from './session-cookie.ts'

/** Who makes a request, as proven by its credential. */
export interface Principal {
  kind: 'user' | 'client'
  /** The id of the user, or of the client. */
  subject: string
  /** Null for a credential without a session. */
  sessionId: string | null
  clientId: string | null
  role: string | null
  permissions: ReadonlySet<Scope>
  /** The admin who acts as this user. */
  impersonatedBy: string | null
}

/** What the request presents to prove who makes it. */
export type Credential = { kind: 'bearer'; token: string } | { kind: 'cookie'; value: string }

/** A principal together with what its credential says of itself. */
export interface Authenticated {
  principal: Principal
  /** The user, as the database has them now; null for a client that acts for itself. */
  user: UserRow | null
  claims: { iss: string | null; aud: string | string[] | null; iat: number; exp: number }
  /** Of a cookie: its session, when it is time to slide it. */
  slide: boolean
  /** What the credential hangs on, so that it can be asked again. */
  token: AccessToken | null
}

/**
 * Turns a credential into its principal, with the authority of now: at once where all is known.
 * @throws ProblemError with status 401
 */
export type Authenticate = (credential: Credential) => Authenticated | Promise<Authenticated>

interface AuthenticatorOptions {
  authority: AuthorityReader
  roles: Roles
  verifyAccessToken: VerifyAccessToken
  sessionCookies: SessionCookies
}

/** One look-up a request: the user or the client, with what the credential names. */
export function createAuthenticator({
  authority,
  roles,
  verifyAccessToken,
  sessionCookies,
}: AuthenticatorOptions): Authenticate {
  const authenticateToken = (value: string) =>
    onceKnown(verifyAccessToken(value), (token) => {
      const { iss, aud, iat, exp } = token.claims
      return onceKnown(judge(authority, roles, token), ({ principal, user }) => {
        return { principal, user, claims: { iss, aud, iat, exp }, slide: false, token }
      })
    })

  function authenticateCookie(value: string): Authenticated | Promise<Authenticated> {
    const token = sessionCookies.open(value)
    if (token === undefined) throw new ProblemError('session-ended')
    return onceKnown(authority.ofSession(token), (found) => {
      const user = assertLive(assertActive(found))
      return {
        principal: toPrincipal(user, roles),
        user,
        claims: { iss: null, aud: null, iat: seconds(user.session_created_at), exp: seconds(user.session_expires_at) },
        slide: sessionCookies.isDue(user),
        token: null,
      }
    })
  }

  return (credential) =>
    credential.kind === 'bearer' ? authenticateToken(credential.token) : authenticateCookie(credential.value)
}

/**
 * Asks again, within a transaction, whether a principal still has the authority it was let in with, and keeps it so
 * until the transaction ends: time may have passed, waiting for a lock or hashing a password.
 * @throws ProblemError with status 401, or `forbidden` when a permission is gone
 */
export async function assertStillAuthorized(trx: Tx, roles: Roles, { principal, token }: Authenticated): Promise<void> {
  await holdClient(trx, principal.clientId)
  const user = await holdAuthority(trx, principal.subject, principal.sessionId)
  const { permissions } = token
    ? (await judge(readAuthority(trx), roles, token)).principal
    : toPrincipal(assertLive(assertActive(user)), roles)
  if (!covers(permissions, principal.permissions)) throw new ProblemError('forbidden')
}

/** The user who asks. @throws ProblemError `forbidden` for a client that acts for itself */
export function userOf({ user }: Authenticated): UserRow {
  if (!user) throw new ProblemError('forbidden', 'This is answered to users, not to clients of their own.')
  return user
}

/** Who presents a token, and what they may do now. */
function judge(authority: AuthorityReader, roles: Roles, token: AccessToken): Judged | Promise<Judged> {
  if (token.kind === 'oauth') return judgeOAuth(authority, roles, token.claims)
  const { kind, claims } = token
  return onceKnown(authority.ofUser(claims.sub, claims.sid ?? null), (found) => {
    const user = assertActive(found)
    if (kind === 'session') assertLive(user)
    else assertIssuedAfter(claims, user)
    return { principal: toPrincipal(user, roles), user }
  })
}

type Judged = Pick<Authenticated, 'principal' | 'user'>
