import type { AuthContext } from '@better-auth/core'
import { runWithAdapter } from '@better-auth/core/context'
import { type BetterAuthOptions, betterAuth } from 'better-auth'
import { router } from 'better-auth/api'
import type { Config } from '../config.ts'
import { clientAddressHeader } from '../http/client-address.ts'
import type { Log } from '../log.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { AuthConfig } from './auth-config.ts'
import { authLogger } from './auth-log.ts'
import { accountFields, rateLimitFields, sessionFields, userFields, verificationFields } from './columns.ts'
import { accountHooks } from './endpoints/account-hooks.ts'
import { holdActor } from './endpoints/hold-actor.ts'
import { createSendAfterCommit, mailCallbacks } from './endpoints/mail-callbacks.ts'
import { createPasswordBudget } from './endpoints/password-budget.ts'
import { profileHooks } from './endpoints/profile-hooks.ts'
import { closedOAuthPaths } from './oauth/provider.ts'
import type { Passwords } from './password.ts'
import { authPlugins, type PluginDependencies } from './plugins.ts'
import { socialProviders } from './providers/profiles.ts'
import { providersOf } from './providers/providers.ts'
import type { Secrets } from './secrets.ts'
import { cookiePrefix, freshSeconds } from './session-cookie.ts'

interface AuthDependencies extends Omit<PluginDependencies, 'send' | 'passwordBudget'> {
  authConfig: AuthConfig
  secrets: Secrets
  passwords: Passwords
}

export type Auth = ReturnType<typeof createAuth>

/** Has Better-Auth answer a request. */
export type AuthFetch = (request: Request) => Promise<Response>

/** The one Better-Auth instance. The schema must be current: it checks it at once. */
export function createAuth(dependencies: AuthDependencies) {
  const { config, authConfig, secrets, db, mailer, messages, log } = dependencies
  const send = createSendAfterCommit(mailer)
  const passwordBudget = createPasswordBudget(db, config.rateLimit > 0)
  const mail = mailCallbacks({
    mailer,
    send,
    messages,
    baseUrl: config.baseUrl,
    secret: secrets.current,
    passwordBudget,
  })
  return betterAuth({
    appName: authConfig.brand.name,
    baseURL: config.baseUrl,
    basePath: '/api/auth',
    secret: secrets.unnumbered,
    ...(secrets.numbered.length > 0 && { secrets: [...secrets.numbered] }),
    trustedOrigins: config.trustedOrigins,
    database: { db, type: 'postgres', transaction: true },
    telemetry: { enabled: false },
    onAPIError: { throw: true, errorURL: '/error' },
    logger: authLogger(log),
    advanced: advanced(config, log),
    // Its table is that of our limits of attempts.
    rateLimit: { enabled: false, storage: 'database', modelName: 'rate_limit', fields: rateLimitFields },
    user: { fields: userFields, deleteUser: { enabled: true, beforeDelete: holdActor } },
    session: sessions(authConfig),
    account: {
      fields: accountFields,
      encryptOAuthTokens: true,
      accountLinking: { enabled: true, trustedProviders: [] },
    },
    verification: { fields: verificationFields, storeIdentifier: 'hashed' },
    emailAndPassword: {
      ...emailAndPassword(config, mailer),
      ...mail.emailAndPassword,
      password: dependencies.passwords,
    },
    emailVerification: { sendOnSignUp: mailer.isReal, sendOnSignIn: mailer.isReal, ...mail.emailVerification },
    socialProviders: socialProviders(config),
    databaseHooks: {
      ...profileHooks,
      ...accountHooks({ db, send, messages, providers: providersOf(config) }),
    },
    // Passwords are reset by their owner or on the command line; nobody chooses one for somebody else.
    // Who has a password deletes the account with it, and nobody by a mailed link.
    disabledPaths: [
      '/admin/set-user-password',
      '/verify-password',
      '/delete-user/callback',
      '/open-api/generate-schema',
      '/reference',
      ...closedOAuthPaths,
    ],
    plugins: authPlugins({ ...dependencies, send, passwordBudget }),
  })
}

/** What `auth.handler` does, with one router for all requests: it makes one for each, as a public URL may depend on it. */
export async function createAuthFetch(auth: Auth): Promise<AuthFetch> {
  const context = (await auth.$context) as unknown as AuthContext
  const { handler } = router(context, auth.options)
  return async (request) => await runWithAdapter(context.adapter, () => handler(request))
}

function advanced({ baseUrl }: Config, log: Log) {
  const secure = baseUrl.startsWith('https:')
  return {
    // It would give the prefix `__Secure-`, under which a sibling host may set a cookie here.
    useSecureCookies: false,
    cookiePrefix: cookiePrefix(secure),
    defaultCookieAttributes: { secure },
    // Stated, because Better-Auth turns both off when NODE_ENV is `test`.
    disableOriginCheck: false,
    disableCSRFCheck: false,
    database: { defaultFindManyLimit: 1_000, joins: true },
    ipAddress: { ipAddressHeaders: [clientAddressHeader] },
    backgroundTasks: {
      handler: (promise: Promise<unknown>) =>
        void promise.catch((err: unknown) => log.error({ err }, 'background task')),
    },
  } satisfies BetterAuthOptions['advanced']
}

const day = 24 * 3_600

function sessions({ session }: AuthConfig) {
  return {
    fields: sessionFields,
    additionalFields: {
      notAfter: { type: 'date', required: false, input: false, returned: false, fieldName: 'not_after' },
    },
    expiresIn: session.idleDays * day,
    updateAge: day,
    freshAge: freshSeconds,
    // Sliding is ours: Better-Auth would write on each read of a session that has reached its absolute end.
    disableSessionRefresh: true,
    // It outlives revocation.
    cookieCache: { enabled: false },
  } as const satisfies BetterAuthOptions['session']
}

function emailAndPassword({ signUpOpen }: Config, mailer: Mailer) {
  return {
    enabled: true,
    disableSignUp: !signUpOpen,
    requireEmailVerification: mailer.isReal,
    // Counted in UTF-16 units: `passwordFault` counts characters, of which each may be several.
    minPasswordLength: 8,
    maxPasswordLength: 1_024,
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
  } satisfies BetterAuthOptions['emailAndPassword']
}
