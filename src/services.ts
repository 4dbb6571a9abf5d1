import { hkdfSync } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { createSetup, type Setup } from './admin/setup.ts'
import { createAccessTokenVerifier } from './auth/access-token.ts'
import { type ActOnUser, createActOnUser } from './auth/act-on-user.ts'
import { type Auth, createAuth } from './auth/auth.ts'
import type { AuthConfig, Brand } from './auth/auth-config.ts'
import { createGuards, type Guards } from './auth/authorize.ts'
import { type BanNotices, createBanNotices } from './auth/ban-notice.ts'
import { createHashLane, type HashLane } from './auth/hashing/hash-lane.ts'
import { createKeyRows, type KeyRows } from './auth/keys/key-rows.ts'
import { keyMint, openKey } from './auth/keys/mint-key.ts'
import { createSigningKeys, type KeyPolicy, type SigningKeys } from './auth/keys/signing-keys.ts'
import { createTokenSigner } from './auth/keys/token-signer.ts'
import { type LiveAuthority, watchAuthority } from './auth/live-authority.ts'
import { syncOAuth } from './auth/oauth/first-party-clients.queries.ts'
import { firstPartyClients } from './auth/oauth/first-party-clients.ts'
import { createPasswords } from './auth/password.ts'
import { type Authenticate, createAuthenticator } from './auth/principal.ts'
import { type Provider, providersOf } from './auth/providers/providers.ts'
import { createRoles, type Roles } from './auth/roles.ts'
import { createSessionCookies, type SessionCookies } from './auth/session-cookie.ts'
import { createUserAccounts, type UserAccounts } from './auth/user-accounts.ts'
import { type Config, ConfigError } from './config.ts'
import { type DatabaseConfig, type Db, openDatabase } from './db/database.ts'
import { databaseFailure } from './db/failure.ts'
import { MigrationError, migrate } from './db/migrate.ts'
import { type Cursors, createCursors } from './http/cursor.ts'
import { keptSecret } from './kept-secret.ts'
import type { Log } from './log.ts'
import { countLetter } from './mail/letters.queries.ts'
import { type CountMessage, createMailer, type Mailer } from './mail/mailer.ts'
import { createMessages, type Messages } from './mail/messages.ts'
import { createRequestLimits, type RequestLimits } from './request-limits.ts'
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
  auth: Auth
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
  requestLimits: RequestLimits
  mailer: Mailer
  messages: Messages
  upkeep: Upkeep
  /** Ends them in reverse: mail under way is sent, then the database is closed. */
  close: () => Promise<void>
}

const hourMs = 3_600_000
// Some fifteen to twenty-five thousand users at a time.
const authorityBytes = 40_000_000

/**
 * Opens the database, brings its schema up to date, and builds everything on it.
 * @param options `migrates: false` where another process has brought the schema up to date
 * @throws what `openDatabase` and `migrate` throw; nothing stays open then
 */
export async function createServices(
  config: Config,
  authConfig: AuthConfig,
  log: Log,
  { migrates = true } = {},
): Promise<Services> {
  const roles = createRoles(authConfig)
  const secret = await secretOf(config)
  if (config.database && migrates) await migrateDirectly(config, roles, log)
  const database = await openDatabase(databaseConfig(config, log))
  const { db, close: closeDatabase } = database
  try {
    if (!config.database) await migrateAndTell(db, roles, log)
    const policy = keyPolicy(config, authConfig)
    const keyRows = createKeyRows(db)
    const keys = createSigningKeys(db, keyRows, policy)
    const maintainKeys = () => keys.maintain(keyMint(policy.algorithm, secret))
    await maintainKeys()
    await assertSecretFits(keys, secret)
    const count: CountMessage = (message) => countLetter(db, message)
    const mailer = createMailer({ smtp: config.smtp, logLinks: config.isLoopback, count, log })
    const messages = createMessages(authConfig.brand, config.baseUrl)
    const sessionCookies = createSessionCookies({
      secret,
      secure: config.baseUrl.startsWith('https:'),
      idleMs: authConfig.session.idleDays * 24 * hourMs,
    })
    const verifyAccessToken = createAccessTokenVerifier(keyRows, {
      issuer: `${config.baseUrl}/api/auth`,
      audience: `${config.baseUrl}/api/v1`,
      graceMs: policy.graceMs,
      shared: config.jwt.shared,
    })
    const authority = await watchAuthority({ database, maxBytes: authorityBytes, onKeysChanged: keyRows.forget, log })
    const authenticate = createAuthenticator({ authority, roles, verifyAccessToken, sessionCookies })
    await syncOAuth(db, `${config.baseUrl}/api/v1`, firstPartyClients(authConfig, config.baseUrl))
    const banNotices = createBanNotices(derivedKey(secret, 'ban'), config.baseUrl.startsWith('https:'))
    const signer = createTokenSigner({ keys, algorithm: policy.algorithm, secret })
    const common = { config, db, roles, signer, sessionCookies, mailer, messages, banNotices, log, authenticate }
    const hashLane = createHashLane({ size: hashThreads(config), log })
    const auth = createAuth({ ...common, authConfig, secret, passwords: createPasswords(hashLane) })
    const batchSize = config.database ? 1_000 : 100
    const upkeep = createUpkeep({ db, log, batchSize, maintainKeys })
    const requestLimits = createRequestLimits({ config, db, log })
    const userAccounts = createUserAccounts({ db, auth, mailer, messages, baseUrl: config.baseUrl })
    upkeep.start()
    return {
      config,
      log,
      db,
      roles,
      keyRows,
      keys,
      hashLane,
      auth,
      authority,
      sessionCookies,
      authenticate,
      guards: createGuards({ db, authenticate, sessionCookies, trustedOrigins: config.trustedOrigins }),
      actOnUser: createActOnUser(db, roles),
      userAccounts,
      setup: createSetup(db, userAccounts),
      brand: authConfig.brand,
      banNotices,
      providers: providersOf(config),
      cursors: createCursors(derivedKey(secret, 'cursor')),
      requestLimits,
      mailer,
      messages,
      upkeep,
      async close() {
        await upkeep.close()
        await hashLane.close()
        await requestLimits.close()
        await mailer.close()
        await closeDatabase()
      },
    }
  } catch (error) {
    await closeDatabase()
    throw error
  }
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

/** Makes the folder of the embedded database where there is none. */
async function assertUsable(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigError([`DATA_DIR: cannot be used as a folder (${code}). Name another, or set DATABASE_URL`])
  }
}

/** The configured secret, or the one kept beside the embedded database; asked for before that is opened or made. */
async function secretOf({ database, dataDir, secret }: Config): Promise<string> {
  if (!database) await assertUsable(dataDir)
  return secret ?? keptSecret(dataDir)
}

/** With another secret every request for a token would fail, and only that. */
async function assertSecretFits(keys: SigningKeys, secret: string): Promise<void> {
  const key = await keys.current()
  if (!key) return
  await openKey(secret, key.row).catch(() => {
    throw new ConfigError([
      'BETTER_AUTH_SECRET: is not the one that this database was used with. Set that one, or, to give it up, delete the rows of the table "jwks"',
    ])
  })
}

/**
 * Migrates the database and closes it again: PostgreSQL past any pooler.
 * @throws what `openDatabase` throws, and MigrationError when waiting does not help, as with a password that is refused
 */
export async function migrateDirectly(config: Config, roles: Roles, log: Log): Promise<void> {
  await secretOf(config)
  const { db, close } = await openDatabase(databaseConfig(config, log, { migrates: true }))
  try {
    await migrateAndTell(db, roles, log)
  } catch (error) {
    if (error instanceof MigrationError || databaseFailure(error)?.kind === 'unavailable') throw error
    const reason = error instanceof Error ? error.message : String(error)
    const hasDirectUrl = config.database?.directUrl !== undefined
    const hint = !hasDirectUrl && /startup parameter/.test(reason) ? '. Set DIRECT_URL past the pooler' : ''
    throw new MigrationError(`The database cannot be used: ${reason}${hint}`, { cause: error })
  } finally {
    await close()
  }
}

async function migrateAndTell(db: Db, roles: Roles, log: Log): Promise<void> {
  const applied = await migrate(db, roles.names)
  if (applied.length > 0) log.info({ applied }, 'migrated')
}

function databaseConfig(config: Config, log: Log, { migrates = false } = {}): DatabaseConfig {
  const onError = (err: Error) => log.warn({ err }, 'database connection lost')
  if (!config.database) return { kind: 'embedded', directory: config.dataDir, onError }
  const { url, directUrl } = config.database
  if (migrates) return { kind: 'postgres', url: directUrl ?? url, limits: 'migration', onError }
  return { kind: 'postgres', url, directUrl, limits: directUrl === undefined ? 'request' : 'pooled', onError }
}

// One secret is configured; each use gets a key of its own (RFC 5869).
function derivedKey(secret: string, use: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `latchkey ${use}`, 32))
}
