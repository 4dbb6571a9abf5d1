import { randomUUID } from 'node:crypto'
import { admin, bearer, jwt, openAPI } from 'better-auth/plugins'
import type { Config } from '../config.ts'
import type { Db } from '../db/database.ts'
import type { Log } from '../log.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Messages } from '../mail/messages.ts'
import type { BanNotices } from './ban-notice.ts'
import { adminSchema, jwtSchema } from './columns.ts'
import { createAdminRules } from './endpoints/admin-rules.ts'
import { createEndpointGuard, type GuardEndpoint } from './endpoints/guard.ts'
import { returnsToOwn } from './endpoints/impersonation.ts'
import { latchkeyPlugin } from './endpoints/latchkey-plugin.ts'
import type { SendAfterCommit } from './endpoints/mail-callbacks.ts'
import type { PasswordBudget } from './endpoints/password-budget.ts'
import type { SignInTurns } from './hashing/sign-in-turns.ts'
import { keyPairConfig } from './keys/mint-key.ts'
import type { TokenSigner } from './keys/token-signer.ts'
import { oauthPlugin } from './oauth/provider.ts'
import type { Authenticate } from './principal.ts'
import { oidcPlugin } from './providers/oidc.ts'
import { providersOf } from './providers/providers.ts'
import { visitorPlugin } from './providers/sign-in.ts'
import type { Roles } from './roles.ts'
import type { SessionCookies } from './session-cookie.ts'

/** What the plugins work with. */
export interface PluginDependencies {
  config: Config
  db: Db
  roles: Roles
  signer: TokenSigner
  sessionCookies: SessionCookies
  mailer: Mailer
  signInTurns: SignInTurns
  passwordBudget: PasswordBudget
  send: SendAfterCommit
  messages: Messages
  banNotices: BanNotices
  log: Log
  authenticate: Authenticate
}

/** What Better-Auth is extended with, each plugin with the settings and the rules of this service. */
export function authPlugins({ config, db, roles, signer, authenticate, ...rest }: PluginDependencies) {
  const guard = createEndpointGuard(db)
  return [
    tokens({ config, signer }),
    visitorPlugin,
    guardedAdmin(roles, guard, rest),
    bearer({ requireSignature: true }),
    oauthPlugin({ config, db, signer, authenticate, guard }),
    openAPI({ disableDefaultReference: true }),
    ...(config.oidc ? [oidcPlugin(config.oidc, config, rest.log)] : []),
    latchkeyPlugin({ ...rest, db, guard, baseUrl: config.baseUrl, providers: providersOf(config) }),
  ]
}

/** Session JWTs, signed as all tokens are. */
function tokens({ config, signer }: Pick<PluginDependencies, 'config' | 'signer'>) {
  return jwt({
    jwks: {
      // Required by Better-Auth beside a `sign` of ours. Our own route answers there.
      remoteUrl: `${config.baseUrl}/api/auth/jwks`,
      keyPairConfig: {
        ...keyPairConfig(config.jwt.algorithm),
        // The OAuth provider asks before it hashes an access token for an ID token.
        get alg() {
          return signer.algorithm()
        },
      } as ReturnType<typeof keyPairConfig>,
    },
    jwt: {
      issuer: `${config.baseUrl}/api/auth`,
      audience: `${config.baseUrl}/api/v1`,
      definePayload: ({ user, session }) => sessionClaims(user, session, config.jwt.ttlSeconds),
      sign: signer.sign,
    },
    // It mints tokens for sessions that have expired.
    disableSettingJwtHeader: true,
    schema: jwtSchema,
  })
}

/**
 * The claims of a session JWT beside `sub`, `iss` and `aud`; its end is never past the session's own. `act` names the
 * admin who impersonates the user. @see RFC 8693 section 4.1
 */
function sessionClaims(
  user: { email: string; role?: string | null },
  session: { id: string; expiresAt: Date; impersonatedBy?: string | null },
  ttlSeconds: number,
) {
  const iat = Math.floor(Date.now() / 1_000)
  const exp = Math.min(iat + ttlSeconds, Math.floor(session.expiresAt.getTime() / 1_000))
  const { impersonatedBy } = session
  return {
    jti: randomUUID(),
    sid: session.id,
    // Whoever trusts the role of a token must not take the admin who looks for the user.
    role: impersonatedBy ? 'user' : (user.role ?? 'user'),
    ...(impersonatedBy && { act: { sub: impersonatedBy } }),
    email: user.email,
    iat,
    exp,
  }
}

/** The admin plugin, its endpoints held to the rules of `/api/v1`. */
function guardedAdmin(
  roles: Roles,
  guard: GuardEndpoint,
  { send, messages }: Pick<PluginDependencies, 'send' | 'messages'>,
) {
  const plugin = admin({
    defaultRole: 'user',
    adminRoles: ['admin'],
    schema: adminSchema,
    ac: roles.accessControl.ac,
    roles: roles.accessControl.roles,
  })
  const rules = createAdminRules(roles, async (before, email) => {
    for (const message of messages.emailChanged(before, email)) await send(message)
  })
  const guarded = Object.entries(plugin.endpoints).map(([name, endpoint]) => {
    const options = rules[name]
    return [name, options ? guard(endpoint, options) : endpoint]
  })
  const endpoints = Object.fromEntries(guarded) as typeof plugin.endpoints
  return { ...plugin, endpoints: { ...endpoints, stopImpersonating: returnsToOwn(endpoints.stopImpersonating) } }
}
