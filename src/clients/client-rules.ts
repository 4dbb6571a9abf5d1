import { covers, type Scope } from '../auth/permissions.ts'
import type { Principal } from '../auth/principal.ts'
import { invalid, ProblemError } from '../http/problem.ts'
import type { AuthMethod, ClientRow } from './clients.queries.ts'

interface GivenScopes {
  scopes?: readonly string[] | undefined
  clientCredentialsScopes?: readonly string[] | undefined
}

/**
 * Nobody lets a client do, or ask people for, what they may not do themselves. What a client does for itself outlives who
 * let it: only people who are signed in themselves decide that.
 * @throws ProblemError `forbidden`
 */
export function assertMayGive(principal: Principal, { scopes = [], clientCredentialsScopes = [] }: GivenScopes): void {
  if (!covers(principal.permissions, new Set([...scopes, ...clientCredentialsScopes] as Scope[]))) {
    throw new ProblemError('forbidden', 'This client has, or is to have, permissions that you do not have.')
  }
  if (principal.clientId !== null && clientCredentialsScopes.length > 0) {
    throw new ProblemError('forbidden', 'Only people, signed in themselves, give a client scopes of its own.')
  }
}

/**
 * By its secret and its redirect URIs a client is taken over, with all that it may do.
 * @throws ProblemError `forbidden`
 */
export function assertMayChange(principal: Principal, client: ClientRow): void {
  if (client.client_id === principal.clientId) throw new ProblemError('forbidden', 'A client does not change itself.')
  const { scopes, client_credentials_scopes: clientCredentialsScopes } = client
  assertMayGive(principal, { scopes, clientCredentialsScopes })
}

/** @throws ProblemError `conflict` for a client that auth.config.ts alone changes */
export function assertChangeable({ is_configured }: ClientRow): void {
  if (is_configured) throw new ProblemError('conflict', 'This client is in auth.config.ts: change it there.')
}

interface Uses {
  redirectUris: readonly string[]
  clientCredentialsScopes: readonly string[]
  authMethod: AuthMethod
}

/** A client signs people in, acts for itself by its secret, or both. @throws ProblemError `validation` */
export function assertUsable({ redirectUris, clientCredentialsScopes, authMethod }: Uses): void {
  if (redirectUris.length + clientCredentialsScopes.length === 0) {
    throw invalid({ pointer: '/redirectUris', detail: 'needs one, where the client has no scopes of its own' })
  }
  if (authMethod === 'none' && clientCredentialsScopes.length > 0) {
    throw invalid({ pointer: '/clientCredentialsScopes', detail: 'are of no use to a client that has no secret' })
  }
}
