import { randomUUID } from 'node:crypto'
import { betterAuth } from 'better-auth'
import { admin, bearer, jwt, openAPI } from 'better-auth/plugins'
import type { Config } from '../config.ts'
import type { Db } from '../db/database.ts'
import { clientAddressHeader } from '../http/client-address.ts'
import { type Log, scrub } from '../log.ts'
import type { Mailer } from '../mail/mailer.ts'
import { createAdminRules } from './admin-rules.ts'
import type { AuthConfig } from './auth-config.ts'
import {
  accountFields,
  adminSchema,
  jwtSchema,
  rateLimitFields,
  sessionFields,
  userFields,
  verificationFields,
} from './columns.ts'
import { createDoors } from './doors.ts'
import { latchkeyPlugin } from './latchkey-plugin.ts'
import { mailCallbacks } from './mail-callbacks.ts'
import { keyPairConfig } from './mint-key.ts'
import { profileHooks, socialProviders } from './profile-hooks.ts'
import type { Roles } from './roles.ts'
import type { SessionCookies } from './session-cookie.ts'
import type { SigningKeys } from './signing-keys.ts'

const day = 24 * 3_600

export interface AuthDependencies {
  config: Config
  authConfig: AuthConfig
  secret: string
  db: Db
  roles: Roles
  keys: SigningKeys
  sessionCookies: SessionCookies
  mailer: Mailer
  log: Log
}

export type Auth = ReturnType<typeof createAuth>

/** The one Better-Auth instance. The schema must be current: it checks it at once. */
export function createAuth(dependencies: AuthDependencies) {
  const { config, authConfig, secret, db, roles, keys, sessionCookies, mailer, log } = dependencies
  const guarded = createDoors(db)
  return betterAuth({
    appName: 'Latchkey',
    baseURL: config.baseUrl,
    basePath: '/api/auth',
    secret,
    trustedOrigins: config.trustedOrigins,
    database: { db, type: 'postgres', transaction: true },
    telemetry: { enabled: false },
    onAPIError: { throw: true },
    logger: {
      level: 'warn',
      log: (level, message, ...args) => log[level]({ source: 'better-auth', ...errorIn(args) }, scrub(message)),
    },
    advanced: {
      useSecureCookies: config.baseUrl.startsWith('https:'),
      // Stated, because Better-Auth turns both off when NODE_ENV is `test`.
      disableOriginCheck: false,
      disableCSRFCheck: false,
      database: { defaultFindManyLimit: 1_000, joins: true },
      ipAddress: { ipAddressHeaders: [clientAddressHeader] },
      backgroundTasks: {
        handler: (promise) => void promise.catch((err: unknown) => log.error({ err }, 'background task')),
      },
    },
    rateLimit: { enabled: config.rateLimit > 0, storage: 'database', modelName: 'rate_limit', fields: rateLimitFields },
    user: { fields: userFields, deleteUser: { enabled: true } },
    session: {
      fields: sessionFields,
      additionalFields: {
        notAfter: { type: 'date', required: false, input: false, returned: false, fieldName: 'not_after' },
      },
      expiresIn: authConfig.session.idleDays * day,
      updateAge: day,
      // Sliding is ours: Better-Auth would write on each read of a session that has reached its absolute end.
      disableSessionRefresh: true,
      // It outlives revocation.
      cookieCache: { enabled: false },
    },
    account: {
      fields: accountFields,
      encryptOAuthTokens: true,
      accountLinking: { enabled: true, trustedProviders: [] },
    },
    verification: { fields: verificationFields, storeIdentifier: 'hashed' },
    emailAndPassword: {
      enabled: true,
      disableSignUp: !config.signUpOpen,
      requireEmailVerification: mailer.isReal,
      // Counted in UTF-16 units: `assertPassword` counts characters, of which each has one or two.
      minPasswordLength: 8,
      maxPasswordLength: 256,
      revokeSessionsOnPasswordReset: true,
      // The answer for an address that is taken must not differ from a real sign-up.
      customSyntheticUser: ({ coreFields, additionalFields, id }) => ({
        ...coreFields,
        role: 'user',
        banned: false,
        banReason: null,
        banExpires: null,
        ...additionalFields,
        id,
      }),
      ...mailCallbacks(mailer, config.baseUrl).emailAndPassword,
    },
    emailVerification: {
      sendOnSignUp: mailer.isReal,
      sendOnSignIn: mailer.isReal,
      ...mailCallbacks(mailer, config.baseUrl).emailVerification,
    },
    socialProviders: socialProviders(config),
    databaseHooks: profileHooks,
    // Passwords are reset by their owner or on the command line; nobody chooses one for somebody else.
    disabledPaths: ['/admin/set-user-password', '/verify-password', '/open-api/generate-schema'],
    plugins: [
      jwt({
        jwks: { keyPairConfig: keyPairConfig(config.jwt.algorithm) },
        jwt: {
          issuer: `${config.baseUrl}/api/auth`,
          audience: `${config.baseUrl}/api/v1`,
          definePayload: ({ user, session }) => sessionClaims(user, session, config.jwt.ttlSeconds),
        },
        adapter: {
          getJwks: () => keys.current(),
          createJwk: async (key) => {
            await keys.maintain(() => Promise.resolve(key))
            const [current] = await keys.current()
            if (!current) throw new Error('There is no signing key')
            return current
          },
        },
        // It mints tokens for sessions that have expired.
        disableSettingJwtHeader: true,
        schema: jwtSchema,
      }),
      guardedAdmin(),
      bearer({ requireSignature: true }),
      openAPI({ disableDefaultReference: true }),
      latchkeyPlugin({ db, guarded, sessionCookies, mailer, log }),
    ],
  })

  function guardedAdmin() {
    const plugin = admin({
      defaultRole: 'user',
      adminRoles: ['admin'],
      schema: adminSchema,
      ac: roles.accessControl.ac,
      roles: roles.accessControl.roles,
    })
    const rules = createAdminRules(roles)
    const endpoints = Object.entries(plugin.endpoints).map(([name, endpoint]) => {
      const options = rules[name]
      return [name, options ? guarded(endpoint, options) : endpoint]
    })
    return { ...plugin, endpoints: Object.fromEntries(endpoints) as typeof plugin.endpoints }
  }
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

function errorIn(args: unknown[]): { err?: Error } {
  const err = args.find((arg) => arg instanceof Error)
  return err ? { err } : {}
}
