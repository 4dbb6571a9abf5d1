import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { inTransaction } from './transaction.ts'

/** The database and the migrations do not fit; the message says how. Retrying does not help. */
export class MigrationError extends Error {
  override name = 'MigrationError'
}

interface Migration {
  version: number
  name: string
  text: string
  checksum: string
}

const lock = sql`select pg_advisory_xact_lock(4207849485)`
// Whoever comes to a table after a change of it that waits, waits behind it: it makes room, and is tried again. What has
// begun takes the time that a large table needs, whatever the role is held to.
const ownLimits = sql`select set_config('lock_timeout', '500ms', true), set_config('statement_timeout', '0', true)`

/**
 * Brings the schema up to date: each pending file of `migrations/` in a transaction of its own, under a lock, so that
 * any number of instances may start at once. Then makes the `role` table hold exactly `roles`.
 * @returns the names of the migrations applied by this call
 * @throws MigrationError when an applied migration was edited or is unknown here, or a role in use was removed
 */
export async function migrate(db: Db, roles: readonly string[], migrations = readMigrations()): Promise<string[]> {
  const applied: string[] = []
  for (const migration of migrations) {
    if (await applyOnce(db, migration, migrations)) applied.push(migration.name)
  }
  await syncRoles(db, roles)
  return applied
}

/** By name, where the schema differs from this version. */
export interface SchemaState {
  pending: string[]
  /** Applied, and of a later version. */
  unknown: string[]
  /** Applied as another text. */
  edited: string[]
}

/** Compares what has been applied with this version; throws where nothing ever was. */
export async function schemaState(db: Db, migrations = readMigrations()): Promise<SchemaState> {
  const rows = await findApplied(db)
  const known = new Map(migrations.map((migration) => [migration.version, migration]))
  const applied = new Set(rows.map(({ version }) => version))
  const nameOf = ({ name }: { name: string }) => name
  return {
    pending: migrations.filter(({ version }) => !applied.has(version)).map(nameOf),
    unknown: rows.filter(({ version }) => !known.has(version)).map(nameOf),
    edited: rows.filter((row) => (known.get(row.version)?.checksum ?? row.checksum) !== row.checksum).map(nameOf),
  }
}

async function findApplied(db: Db): Promise<Pick<Migration, 'version' | 'name' | 'checksum'>[]> {
  const { rows } = await sql<Pick<Migration, 'version' | 'name' | 'checksum'>>`
    select version, name, checksum from schema_migration order by version`.execute(db)
  return rows
}

/** Whether every migration of this version, and no other, has been applied. */
export async function isSchemaCurrent(db: Db, migrations = readMigrations()): Promise<boolean> {
  return Object.values(await schemaState(db, migrations)).every((names: string[]) => names.length === 0)
}

/**
 * The numbered SQL files, in order, found from the package root whether this file runs from `src` or `dist`.
 * @throws MigrationError for a file whose name says no place in the order
 */
export function readMigrations(folder = join(packageRoot(), 'migrations')): Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  assertNumbered(names)
  return names.map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return {
      version: Number(name.slice(0, 4)),
      name,
      text,
      checksum: createHash('sha256').update(text).digest('hex'),
    }
  })
}

/** A file that is left out in silence would be missed where it runs only. */
function assertNumbered(names: string[]): void {
  const misnamed = names.find((name) => !/^\d{4}_\w+\.sql$/.test(name))
  if (misnamed !== undefined) throw new MigrationError(`migrations/${misnamed} must be named like 0001_name.sql.`)
  const second = names.find((name, i) => name.slice(0, 4) === names[i - 1]?.slice(0, 4))
  if (second !== undefined) throw new MigrationError(`migrations/${second} has the number of another file.`)
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

function applyOnce(db: Db, migration: Migration, known: Migration[]): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    await lock.execute(trx)
    await sql`create table if not exists schema_migration (
      version integer primary key, name text not null, checksum text not null,
      applied_at timestamptz not null default current_timestamp)`.execute(trx)
    const rows = await findApplied(trx)
    for (const row of rows) assertKnown(row, known)
    if (rows.some(({ version }) => version === migration.version)) return false
    await ownLimits.execute(trx)
    await sql.raw(migration.text).execute(trx)
    await sql`insert into schema_migration (version, name, checksum)
      values (${migration.version}, ${migration.name}, ${migration.checksum})`.execute(trx)
    return true
  })
}

function assertKnown(row: Pick<Migration, 'version' | 'name' | 'checksum'>, known: Migration[]): void {
  const migration = known.find(({ version }) => version === row.version)
  if (!migration) {
    throw new MigrationError(
      `The database is newer than this version: it has migration ${row.name}. Deploy the newer version.`,
    )
  }
  if (migration.checksum !== row.checksum) {
    throw new MigrationError(
      `Migration ${row.name} was edited after it had been applied. Restore the file; add a new one.`,
    )
  }
}

function syncRoles(db: Db, roles: readonly string[]): Promise<void> {
  return inTransaction(db, async (trx) => {
    await lock.execute(trx)
    await trx
      .insertInto('role')
      .values(roles.map((name) => ({ name })))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const removed = await trx.selectFrom('role').select('name').where('name', 'not in', roles).execute()
    for (const { name } of removed) {
      const user = await trx.selectFrom('user').select('id').where('role', '=', name).limit(1).executeTakeFirst()
      if (user)
        throw new MigrationError(`Role "${name}" is not in auth.config.ts, but users have it. Change them first.`)
      await trx.deleteFrom('role').where('name', '=', name).execute()
    }
  })
}
