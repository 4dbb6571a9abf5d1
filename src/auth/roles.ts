import { createAccessControl } from 'better-auth/plugins/access'
import type { AuthConfig } from './auth-config.ts'
import { accountScopes, type Permission, permissions, type Scope } from './permissions.ts'

/** What the roles of `auth.config.ts` mean. */
export interface Roles {
  names: readonly string[]
  /** What a session of this role may do. An unknown role has no permission over others. */
  scopesOf: (role: string) => ReadonlySet<Scope>
  /** The same map in the terms of Better-Auth's admin plugin. */
  accessControl: ReturnType<typeof toAccessControl>
}

/** Turns the roles of `auth.config.ts` into what the two APIs ask of them. */
export function createRoles({ roles }: AuthConfig): Roles {
  const scopes = new Map([...roles].map(([role, granted]) => [role, new Set<Scope>([...accountScopes, ...granted])]))
  const none = new Set<Scope>(accountScopes)
  return {
    names: [...roles.keys()],
    scopesOf: (role) => scopes.get(role) ?? none,
    accessControl: toAccessControl(roles),
  }
}

const statements = {
  user: [
    'create',
    'list',
    'set-role',
    'ban',
    'impersonate',
    'impersonate-admins',
    'delete',
    'set-password',
    'set-email',
    'get',
    'update',
  ],
  session: ['list', 'revoke', 'delete'],
} as const
type UserAction = (typeof statements.user)[number]
type SessionAction = (typeof statements.session)[number]

const actions: Partial<Record<Permission, { user?: UserAction[]; session?: SessionAction[] }>> = {
  'users:read': { user: ['list', 'get'] },
  'users:write': { user: ['create', 'update', 'set-email'] },
  'users:delete': { user: ['delete'] },
  'users:role': { user: ['set-role'] },
  'users:ban': { user: ['ban'] },
  'sessions:read': { session: ['list'] },
  'sessions:revoke': { session: ['revoke', 'delete'] },
}

function toAccessControl(roles: AuthConfig['roles']) {
  const ac = createAccessControl(statements)
  const entries = [...roles].map(([role, granted]) => {
    const allowed = [...granted].map((permission) => actions[permission] ?? {})
    const user = allowed.flatMap((action) => action.user ?? [])
    // Acting as somebody else is more than any one permission: only a role that has them all may.
    if (permissions.every((permission) => granted.has(permission))) user.push('impersonate', 'impersonate-admins')
    return [role, ac.newRole({ user, session: allowed.flatMap((action) => action.session ?? []) })] as const
  })
  // Without a prototype `roles['constructor']` is no role.
  return {
    ac,
    roles: Object.assign(Object.create(null), Object.fromEntries(entries)) as Record<
      string,
      (typeof entries)[number][1]
    >,
  }
}
