import { ProblemError } from '../../http/problem.ts'
import type { OAuthClaims } from '../access-token.ts'
import { assertActive, assertIssuedAfter, assertLive, isFromBefore, toPrincipal } from '../authority/authority.ts'
import type { AuthorityReader } from '../authority/reader.ts'
import type { Claims } from '../jwt.ts'
import { onceKnown } from '../once-known.ts'
import type { Scope } from '../permissions.ts'
import type { Principal } from '../principal.ts'
import type { Roles } from '../roles.ts'
import type { ClientRow, DelegationRow } from './delegation.queries.ts'
import { apiScopesOf } from './scopes.ts'

/**
 * Whom an access token of a client stands for: a user, with those of its scopes that their role and the client have now;
 * or the client itself, with those that it was registered for.
 * @throws ProblemError with status 401
 */
export function judgeOAuth(authority: AuthorityReader, roles: Roles, claims: OAuthClaims) {
  return claims.sub === claims.client_id
    ? onceKnown(authority.ofMachine(claims), (row) => judgeMachine(claims, row))
    : onceKnown(authority.ofDelegation(claims), (row) => judgeDelegation(roles, claims, row))
}

function judgeMachine(claims: OAuthClaims, row: ClientRow | undefined) {
  const { client_own_scopes } = assertClient(claims, row)
  return { principal: toMachine(claims, among(apiScopesOf(claims.scope), client_own_scopes ?? [])), user: null }
}

function judgeDelegation(roles: Roles, claims: OAuthClaims, found: DelegationRow | undefined) {
  const row = assertActive(found)
  assertGranted(claims, row)
  // A grant of offline access outlives the session in which it was given.
  if (isOffline(claims, row)) assertIssuedAfter(claims, row)
  else assertLive(row)
  const principal = toPrincipal(row, roles)
  const permissions = among(
    apiScopesOf(claims.scope),
    [...principal.permissions].filter((scope) => row.client_scopes?.includes(scope)),
  )
  return { principal: { ...principal, clientId: claims.client_id, permissions }, user: row }
}

/** @throws ProblemError `invalid-token` when the client, the grant or the token itself was ended */
function assertGranted(claims: Claims, row: DelegationRow): void {
  const isOver = row.grant_ended_at !== null || isFromBefore(claims, row.grant_valid_after)
  if (isOver || row.granted_at === null) throw new ProblemError('invalid-token')
  assertClient(claims, row)
}

function assertClient(claims: Claims, row: ClientRow | undefined): ClientRow {
  if (!row?.client_enabled || row.is_revoked || isFromBefore(claims, row.client_valid_after)) {
    throw new ProblemError('invalid-token')
  }
  return row
}

function toMachine({ client_id }: OAuthClaims, permissions: ReadonlySet<Scope>): Principal {
  return {
    kind: 'client',
    subject: client_id,
    sessionId: null,
    clientId: client_id,
    role: null,
    permissions,
    impersonatedBy: null,
  }
}

function among(scopes: readonly Scope[], allowed: readonly string[]): ReadonlySet<Scope> {
  return new Set(scopes.filter((scope) => allowed.includes(scope)))
}

/** Of a grant of offline access, too, a refresh may ask for fewer scopes. It names no session once that is over. */
function isOffline({ scope, sid }: OAuthClaims, { grant_scopes }: DelegationRow): boolean {
  const isRenewed = sid === undefined && grant_scopes?.includes('offline_access')
  return isRenewed || scope.split(' ').includes('offline_access')
}
