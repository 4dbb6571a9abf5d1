import { availableParallelism } from 'node:os'
import { createSetup, type Setup } from './admin/setup.ts'
import { createAccessTokenVerifier } from './auth/access-token.ts'
import { type ActOnUser, createActOnUser } from './auth/act-on-user.ts'
import { type Auth, type AuthFetch, createAuth, createAuthFetch } from './auth/auth.ts'
import type { AuthConfig, Brand } from './auth/auth-config.ts'
import { type LiveAuthority, watchAuthority } from './auth/authority/live.ts'
import { createGuards, type Guards } from './auth/authorize.ts'
import { type BanNotices, createBanNotices } from './auth/ban-notice.ts'
import { createHashLane, type HashLane } from './auth/hashing/hash-lane.ts'
import { createSignInTurns, type SignInTurns } from './auth/hashing/sign-in-turns.ts'
import { createKeyRows, type KeyRows } from './auth/keys/key-rows.ts'
import { keyMint, openKey } from './auth/keys/mint-key.ts'
import { createSigningKeys, type KeyPolicy, type SigningKeys } from './auth/keys/signing-keys.ts'
import { createTokenSigner } from './auth/keys/token-signer.ts'
import { syncOAuth } from './auth/oauth/first-party-clients.queries.ts'
import { firstPartyClients } from './auth/oauth/first-party-clients.ts'
import { createPasswords } from './auth/password.ts'
import { type Authenticate, createAuthenticator } from './auth/principal.ts'
import { type Provider, providersOf } from './auth/providers/providers.ts'
import { createRoles, type Roles } from './auth/roles.ts'
import type { Secrets } from './auth/secrets.ts'
import { createSessionCookies, type SessionCookies } from './auth/session-cookie.ts'
import { createUserAccounts, type UserAccounts } from './auth/user-accounts.ts'
import { type Config, ConfigError } from './config.ts'
import { auditedAs } from './db/audit-context.ts'
import type { Clock } from './db/clock.ts'
import type { Database, Db } from './db/database.ts'
import { type ArrivalProofs, createArrivalProofs } from './doctor/arrival.ts'
import { type Cursors, createCursors } from './http/cursor.ts'
import type { Log } from './log.ts'
import { countLetter } from './mail/letters.queries.ts'
import { type CountMessage, createMailer, type Mailer } from './mail/mailer.ts'
import { createMessages, type Messages } from './mail/messages.ts'
import { openMigrated } from './open-database.ts'
import { createRequestLimits, type RequestLimits } from './request-limits.ts'
import { derivedKey } from './secret.ts'
import { createUpkeep, type Upkeep } from './upkeep/upkeep.ts'

/** Every object that lives as long as the process. */
export interface Services {
  config: Config
  log: Log
  db: Db
  roles: Roles
  keyRows: KeyRows
  keys: SigningKeys
  hashLane: HashLane
  signInTurns: SignInTurns
  auth: Auth
  authFetch: AuthFetch
  authority: LiveAuthority
  sessionCookies: SessionCookies
  authenticate: Authenticate
  guards: Guards
  actOnUser: ActOnUser
  userAccounts: UserAccounts
  setup: Setup
  brand: Brand
  banNotices: BanNotices
  providers: readonly Provider[]
  cursors: Cursors
  arrivalProofs: ArrivalProofs
  requestLimits: RequestLimits
  mailer: Mailer
  messages: Messages
  upkeep: Upkeep
  /**
   * Ends them in reverse: mail under way is sent, then the database is closed.
   * @param begin told of each part that is about to be ended
   */
  close: (begin?: (part: string) => void) => Promise<void>
}

const hourMs = 3_600_000
// Who the audit log says it was.
const boot = { actorType: 'system', actorId: 'boot' } as const
// Some fifteen to twenty-five thousand users at a time.
const authorityBytes = 40_000_000

/**
 * Opens the database, brings its schema up to date, and builds everything on it.
 * @param options `migrates: false` where another process has brought the schema up to date
 * @throws what `openMigrated` throws, and ConfigError for a secret that does not fit; nothing stays open then
 */
export async function createServices(
  config: Config,
  authConfig: AuthConfig,
  log: Log,
  options: { migrates?: boolean } = {},
): Promise<Services> {
  const roles = createRoles(authConfig)
  const database = await openMigrated(config, roles, log, options)
  try {
    return await build({ config, authConfig, log, roles, database, secrets: database.secrets })
  } catch (error) {
    await database.close()
    throw error
  }
}

interface Foundation {
  config: Config
  authConfig: AuthConfig
  log: Log
  roles: Roles
  database: Database
  secrets: Secrets
}

async function build(foundation: Foundation): Promise<Services> {
  const { config, authConfig, log, roles, database, secrets } = foundation
  const { db } = database
  const clock = await database.clock()
  const { maintainKeys, signer, ...credentials } = await createCredentials(foundation, clock)
  const { authenticate, sessionCookies } = credentials
  const clients = firstPartyClients(authConfig, config.baseUrl)
  await auditedAs(boot, () => syncOAuth(db, `${config.baseUrl}/api/v1`, clients))
  const count: CountMessage = (message) => countLetter(db, message)
  const mailer = createMailer({ smtp: config.smtp, logLinks: config.isLoopback, count, log })
  const messages = createMessages(authConfig.brand, config.baseUrl)
  const banNotices = createBanNotices(derivedKey(secrets.current, 'ban'), config.baseUrl.startsWith('https:'))
  const size = hashThreads(config)
  const hashLane = createHashLane({ size, log })
  const signInTurns = createSignInTurns({ size, lane: hashLane })
  const common = { config, db, roles, signer, sessionCookies, mailer, messages, banNotices, log, authenticate }
  const auth = createAuth({ ...common, authConfig, secrets, passwords: createPasswords(hashLane), signInTurns })
  const userAccounts = createUserAccounts({ db, auth, mailer, messages, baseUrl: config.baseUrl })
  const requestLimits = createRequestLimits({ config, db, log })
  const upkeep = createUpkeep({
    db,
    log,
    batchSize: config.database ? 1_000 : 100,
    auditDays: config.auditRetentionDays,
    maintainKeys,
  })
  upkeep.start()
  return {
    config,
    log,
    db,
    roles,
    ...credentials,
    hashLane,
    signInTurns,
    auth,
    authFetch: await createAuthFetch(auth),
    guards: createGuards({ db, authenticate, sessionCookies, trustedOrigins: config.trustedOrigins }),
    actOnUser: createActOnUser(db, roles),
    userAccounts,
    setup: createSetup(db, userAccounts),
    brand: authConfig.brand,
    banNotices,
    providers: providersOf(config),
    cursors: createCursors(derivedKey(secrets.current, 'cursor')),
    arrivalProofs: createArrivalProofs(derivedKey(secrets.current, 'arrival')),
    requestLimits,
    mailer,
    messages,
    upkeep,
    async close(begin) {
      const parts = {
        upkeep,
        'sign-ins': signInTurns,
        'hashing threads': hashLane,
        'request counts': requestLimits,
        mail: mailer,
        clock,
        database,
      }
      for (const [name, part] of Object.entries(parts)) {
        begin?.(name)
        await part.close()
      }
    },
  }
}

/** What tokens and cookies are made and checked with, and who has which authority. */
async function createCredentials(foundation: Foundation, { now }: Clock) {
  const { config, authConfig, log, roles, database, secrets } = foundation
  const policy = keyPolicy(config, authConfig)
  const keyRows = createKeyRows(database.db, database.isHeard)
  const keys = createSigningKeys(database.db, keyRows, policy, now)
  const maintainKeys = () => keys.maintain(keyMint(policy.algorithm, secrets.current))
  // Before a key is made: with a wrong secret there would be one more, and no word of it.
  await assertSecretsFit(keyRows, secrets)
  await auditedAs(boot, maintainKeys)
  const sessionCookies = createSessionCookies({
    secrets,
    secure: config.baseUrl.startsWith('https:'),
    idleMs: authConfig.session.idleDays * 24 * hourMs,
  })
  const verifyAccessToken = createAccessTokenVerifier(keyRows, {
    issuer: `${config.baseUrl}/api/auth`,
    audience: `${config.baseUrl}/api/v1`,
    graceMs: policy.graceMs,
    shared: config.jwt.shared,
    now,
  })
  const authority = await watchAuthority({ database, maxBytes: authorityBytes, onKeysChanged: keyRows.forget, log })
  const authenticate = createAuthenticator({ authority, roles, verifyAccessToken, sessionCookies })
  const signer = createTokenSigner({ keys, algorithm: policy.algorithm, secrets, now })
  return { keyRows, keys, maintainKeys, signer, sessionCookies, authority, authenticate }
}

function keyPolicy({ jwt }: Config, { signingKey }: AuthConfig): KeyPolicy {
  return {
    algorithm: jwt.algorithm,
    rotationMs: signingKey.rotationDays * 24 * hourMs,
    publishAheadMs: signingKey.publishHoursAhead * hourMs,
    graceMs: Math.max(hourMs, jwt.ttlSeconds * 1_000),
  }
}

/** One core is left to everything else; what there is beyond it is shared among the workers. */
function hashThreads({ workers }: Config): number {
  return Math.max(1, Math.floor((availableParallelism() - 1) / workers))
}

/** With another secret every request for a token would fail, and only that. */
async function assertSecretsFit(keyRows: KeyRows, secrets: Secrets): Promise<void> {
  const keys = [...(await keyRows.read()).values()]
  const live = keys.filter(({ endsAt }) => endsAt > Date.now())
  for (const { row } of live.length > 0 ? live : keys) {
    await openKey(secrets.all, row).catch(() => {
      throw new ConfigError([
        'BETTER_AUTH_SECRET: is not the one that this database was used with. Set that one, or list it in BETTER_AUTH_SECRETS after the new one, or, to give it up, delete the rows of the table "jwks"',
      ])
    })
  }
}
