import { ConfigError } from '../config.ts'
import { isRedirectUri } from '../resources/redirect-uri.ts'
import { type OAuthScope, oauthScopes } from './oauth/scopes.ts'
import { type Permission, permissions } from './permissions.ts'

/** What the pages and mails look like. */
export interface Brand {
  name: string
  /** The colour of buttons and links, as `#rrggbb`. */
  color: { light: string; dark: string }
  /** An SVG image, as text; without one, a keyhole. */
  logo?: string
}

/** An application of the operator's own. It may do what it asks for without asking people. */
export interface ConfiguredClient {
  name: string
  redirectUris: readonly string[]
  /** Where people may be sent after signing out. */
  postLogoutRedirectUris?: readonly string[]
  scopes: readonly OAuthScope[]
  /** Whether it keeps a secret, which an admin makes: an application on a server can, one in a browser cannot. */
  isConfidential?: boolean
}

interface AuthSettings {
  brand: Brand
  roles: Record<string, readonly Permission[] | 'all'> & { user: readonly Permission[] | 'all'; admin: 'all' }
  session: { idleDays: number }
  signingKey: { rotationDays: number; publishHoursAhead: number }
  /** By their `client_id`. */
  clients?: Readonly<Record<string, ConfiguredClient>>
}

/** The checked contents of `auth.config.ts`; each role with its own set of permissions. */
export interface AuthConfig extends Omit<AuthSettings, 'roles' | 'clients'> {
  roles: ReadonlyMap<string, ReadonlySet<Permission>>
  clients: ReadonlyMap<string, ConfiguredClient>
}

/**
 * Checks what `auth.config.ts` says.
 * @throws ConfigError naming the entry that cannot be used
 */
export function defineAuth({ brand, roles, session, signingKey, clients = {} }: AuthSettings): AuthConfig {
  assertBrand(brand)
  const grants = new Map<string, ReadonlySet<Permission>>()
  for (const [role, granted] of Object.entries(roles)) {
    if (!/^[a-z][a-z0-9-]{0,49}$/.test(role)) throw unusable(`"${role}" is not a usable role name`)
    const unknown = granted === 'all' ? undefined : granted.find((permission) => !permissions.includes(permission))
    if (unknown) throw unusable(`role ${role}: there is no permission "${unknown}"`)
    grants.set(role, new Set(granted === 'all' ? permissions : granted))
  }
  assertBetween('session.idleDays', session.idleDays, 2, 30)
  assertBetween('signingKey.rotationDays', signingKey.rotationDays, 1, 3_650)
  assertBetween('signingKey.publishHoursAhead', signingKey.publishHoursAhead, 1, signingKey.rotationDays * 12)
  for (const [id, client] of Object.entries(clients)) assertClient(id, client)
  return { brand, roles: grants, session, signingKey, clients: new Map(Object.entries(clients)) }
}

function assertClient(id: string, client: ConfiguredClient): void {
  if (!/^[A-Za-z0-9_-]{1,50}$/.test(id) || id === 'reference') throw unusable(`"${id}" is not a usable client id`)
  const { name, redirectUris, postLogoutRedirectUris = [], scopes } = client
  const fault = (what: string) => unusable(`client ${id}: ${what}`)
  if (!isName(name)) throw fault('its name must have 1 to 50 characters')
  if (redirectUris.length === 0) throw fault('it needs a redirect URI')
  const misfit = [...redirectUris, ...postLogoutRedirectUris].find((uri) => !isRedirectUri(uri))
  if (misfit !== undefined) throw fault(`"${misfit}" cannot be a redirect URI`)
  const unknown = scopes.find((scope) => !oauthScopes.includes(scope))
  if (unknown) throw fault(`there is no scope "${unknown}"`)
}

function unusable(fault: string): ConfigError {
  return new ConfigError([`auth.config.ts: ${fault}`])
}

function isName(text: string): boolean {
  return /^[^\p{Cc}\p{Cf}]{1,50}$/u.test(text)
}

function assertBetween(name: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) throw unusable(`${name} must be between ${min} and ${max}`)
}

// What stands on a button, and what a link stands on: see the style sheet.
const grounds = { light: '#ffffff', dark: '#1c1e25' }

function assertBrand({ name, color, logo }: Brand): void {
  if (!isName(name)) throw unusable('brand.name must have 1 to 50 characters')
  if (logo !== undefined && !logo.trimStart().startsWith('<svg')) throw unusable('brand.logo is no SVG')
  for (const scheme of ['light', 'dark'] as const) {
    if (!/^#[0-9a-f]{6}$/i.test(color[scheme])) throw unusable(`brand.color.${scheme} is not like #2b53c4`)
    const contrast = contrastOf(color[scheme], grounds[scheme])
    if (contrast < 4.5) {
      const found = contrast.toFixed(1)
      throw unusable(`brand.color.${scheme} cannot be read well: its contrast is ${found}, not 4.5`)
    }
  }
}

/** @see WCAG 2.2, "contrast ratio" */
function contrastOf(one: string, other: string): number {
  const [a = 0, b = 0] = [luminanceOf(one), luminanceOf(other)].toSorted((x, y) => y - x)
  return (a + 0.05) / (b + 0.05)
}

function luminanceOf(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
