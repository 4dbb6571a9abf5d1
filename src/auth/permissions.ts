/** What a role may grant over users and sessions; the OAuth scopes of the same names. */
export const permissions = [
  'users:read',
  'users:write',
  'users:delete',
  'users:role',
  'users:ban',
  'sessions:read',
  'sessions:revoke',
  'audit:read',
  'clients:manage',
] as const

/** What everybody has over their own account. */
export const accountScopes = ['account:read', 'account:write'] as const

/** What each allows, in words that go on from "may". */
export const scopeMeanings: Record<Scope, string> = {
  'account:read': 'see your account: your sessions and ways to sign in',
  'account:write': 'change your account: your name and picture, and where you are signed in',
  'users:read': 'see all users',
  'users:write': 'make users and change them',
  'users:delete': 'delete users',
  'users:role': 'give users other roles',
  'users:ban': 'ban users and lift bans',
  'sessions:read': 'see where users are signed in',
  'sessions:revoke': 'sign users out',
  'audit:read': 'read the audit log',
  'clients:manage': 'manage the applications that may connect',
}

export type Permission = (typeof permissions)[number]
export type Scope = Permission | (typeof accountScopes)[number]

/** Whether nobody with `theirs` has a permission over others that is missing from `ours`. */
export function covers(ours: ReadonlySet<Scope>, theirs: ReadonlySet<Scope>): boolean {
  return permissions.every((permission) => ours.has(permission) || !theirs.has(permission))
}
