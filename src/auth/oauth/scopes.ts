import { accountScopes, permissions, type Scope } from '../permissions.ts'

/** What a client may learn of who signs in, and that it may stay when they leave. */
export const identityScopes = ['openid', 'profile', 'email', 'offline_access'] as const

export type OAuthScope = (typeof identityScopes)[number] | Scope

/** All that a client may ask for. */
export const oauthScopes: readonly OAuthScope[] = [...identityScopes, ...accountScopes, ...permissions]

const apiScopes: ReadonlySet<string> = new Set([...accountScopes, ...permissions])

/** Those of `scope`, a list with blanks between, that mean something to `/api/v1`. */
export function apiScopesOf(scope: string): Scope[] {
  return scope.split(' ').filter((name): name is Scope => apiScopes.has(name))
}

/** A list of scopes without blanks too many, each scope once; undefined of one that is empty. @see RFC 6749 section 3.3 */
export function tidyScope(scope: unknown): unknown {
  if (typeof scope !== 'string') return scope
  return [...new Set(scope.split(' ').filter(Boolean))].join(' ') || undefined
}
