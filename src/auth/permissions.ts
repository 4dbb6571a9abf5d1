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

export type Permission = (typeof permissions)[number]
export type Scope = Permission | (typeof accountScopes)[number]

/** Whether nobody with `theirs` has a permission over others that is missing from `ours`. */
export function covers(ours: ReadonlySet<Scope>, theirs: ReadonlySet<Scope>): boolean {
  return permissions.every((permission) => ours.has(permission) || !theirs.has(permission))
}
