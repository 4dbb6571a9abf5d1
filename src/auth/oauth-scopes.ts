import { accountScopes, permissions, type Scope } from './permissions.ts'

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
