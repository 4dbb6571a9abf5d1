import { type Permission, permissions } from './permissions.ts'

interface AuthSettings {
  roles: Record<string, readonly Permission[] | 'all'> & { user: readonly Permission[] | 'all'; admin: 'all' }
  session: { idleDays: number }
  signingKey: { rotationDays: number; publishHoursAhead: number }
}

/** The checked contents of `auth.config.ts`; each role with its own set of permissions. */
export interface AuthConfig extends Omit<AuthSettings, 'roles'> {
  roles: ReadonlyMap<string, ReadonlySet<Permission>>
}

/**
 * Checks what `auth.config.ts` says.
 * @throws Error naming the entry that cannot be used
 */
export function defineAuth({ roles, session, signingKey }: AuthSettings): AuthConfig {
  const grants = new Map<string, ReadonlySet<Permission>>()
  for (const [role, granted] of Object.entries(roles)) {
    if (!/^[a-z][a-z0-9-]{0,49}$/.test(role)) throw new Error(`auth.config.ts: "${role}" is not a usable role name`)
    const unknown = granted === 'all' ? undefined : granted.find((permission) => !permissions.includes(permission))
    if (unknown) throw new Error(`auth.config.ts: role ${role}: there is no permission "${unknown}"`)
    grants.set(role, new Set(granted === 'all' ? permissions : granted))
  }
  assertBetween('session.idleDays', session.idleDays, 2, 30)
  assertBetween('signingKey.rotationDays', signingKey.rotationDays, 1, 3_650)
  assertBetween('signingKey.publishHoursAhead', signingKey.publishHoursAhead, 1, signingKey.rotationDays * 12)
  return { roles: grants, session, signingKey }
}

function assertBetween(name: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) throw new Error(`auth.config.ts: ${name} must be between ${min} and ${max}`)
}
