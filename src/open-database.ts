import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import type { Roles } from './auth/roles.ts'
import { createSecrets, type Secrets } from './auth/secrets.ts'
import { type Config, ConfigError } from './config.ts'
import { type Database, type DatabaseConfig, type Db, openDatabase } from './db/database.ts'
import { databaseFailure } from './db/failure.ts'
import { MigrationError, migrate } from './db/migrate.ts'
import { hasKeptSecret, keptSecret } from './kept-secret.ts'
import type { Log } from './log.ts'

/** An open database, and the secrets that it is used with. */
interface Opened extends Database {
  secrets: Secrets
}

/**
 * Opens the database of a service with its schema up to date.
 * @param options `migrates: false` where another process has brought the schema up to date
 * @throws what `openDatabase` and `migrate` throw; nothing stays open then
 */
export async function openMigrated(config: Config, roles: Roles, log: Log, { migrates = true } = {}): Promise<Opened> {
  const secrets = await secretsOf(config)
  if (config.database && migrates) await migrateDirectly(config, roles, log)
  const database = await openDatabase(databaseConfig(config, log))
  try {
    if (!config.database) await migrateAndTell(database.db, roles, log)
  } catch (error) {
    await database.close()
    throw error
  }
  return { ...database, secrets }
}

/**
 * Migrates the database and closes it again: PostgreSQL past any pooler.
 * @throws what `openDatabase` throws, and MigrationError when waiting does not help, as with a password that is refused
 */
export async function migrateDirectly(config: Config, roles: Roles, log: Log): Promise<void> {
  await secretsOf(config)
  const { db, close } = await openDatabase(databaseConfig(config, log, { migrates: true }))
  try {
    await migrateAndTell(db, roles, log)
  } catch (error) {
    if (error instanceof MigrationError || databaseFailure(error)?.kind === 'unavailable') throw error
    const reason = error instanceof Error ? error.message : String(error)
    const hint = /startup parameter/.test(reason) ? '. Set DIRECT_URL to lead past the pooler' : ''
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

/** The configured secrets, or the one kept beside the embedded database; asked for before that is opened or made. */
async function secretsOf({ database, dataDir, secret, secrets }: Config): Promise<Secrets> {
  if (!database) await assertUsable(dataDir)
  // Where others are configured, the kept one is for what was there before them.
  const isKept = !database && (secrets.length === 0 || hasKeptSecret(dataDir))
  return createSecrets(secret ?? (isKept ? await keptSecret(dataDir) : undefined), secrets)
}
