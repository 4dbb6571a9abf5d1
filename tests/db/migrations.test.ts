import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { type Database, type Db, openDatabase } from '../../src/db/database.ts'
import { isSchemaCurrent, MigrationError, migrate, readMigrations } from '../../src/db/migrate.ts'
import { databaseUrl, onServer } from '../support/database-template.ts'
import { createTestDatabase, directUrl } from '../support/harness.ts'

const server = process.env['TEST_DATABASE_URL']
const roles = ['user', 'admin', 'moderator']
const known = readMigrations()

/** A database with every migration, closed and removed after the test. */
async function openMigrated(): Promise<Db> {
  const { env, remove } = await createTestDatabase()
  const url = directUrl(env)
  const { db, close } = url
    ? await openPostgres(url)
    : await openDatabase({ kind: 'embedded', directory: env['DATA_DIR'] ?? '', onError: raise })
  onTestFinished(async () => {
    await close()
    await remove()
  })
  return db
}

function openPostgres(url: string): Promise<Database> {
  // The database is dropped by force when the test is over, which may meet a connection that is just closing.
  return openDatabase({ kind: 'postgres', url, limits: 'migration', onError: () => {} })
}

function raise(error: Error): void {
  throw error
}

function nextMigration(text: string) {
  const version = (known.at(-1)?.version ?? 0) + 1
  return { version, name: `${String(version).padStart(4, '0')}_next.sql`, text, checksum: randomUUID() }
}

async function applied(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from schema_migration order by version`.execute(db)
  return rows.map(({ name }) => name)
}

async function roleNames(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('role').select('name').orderBy('name').execute()
  return rows.map(({ name }) => name)
}

async function tables(db: Db): Promise<string[]> {
  return (await db.introspection.getTables()).map(({ name }) => name)
}

test('the migrations are numbered without a gap', () => {
  expect(known.map(({ version }) => version)).toEqual(known.map((_, i) => i + 1))
})

test('migrations that were applied are not applied again', async () => {
  const db = await openMigrated()

  expect(await migrate(db, roles)).toEqual([])
  expect(await applied(db)).toEqual(known.map(({ name }) => name))
})

test('a new migration is applied once, and makes the schema current', async () => {
  const db = await openMigrated()
  const next = nextMigration('create table next (id integer); insert into next values (1)')
  const migrations = [...known, next]

  expect(await isSchemaCurrent(db, migrations)).toBe(false)
  expect(await migrate(db, roles, migrations)).toEqual([next.name])
  expect(await migrate(db, roles, migrations)).toEqual([])

  expect(await isSchemaCurrent(db, migrations)).toBe(true)
  expect((await sql`select id from next`.execute(db)).rows).toHaveLength(1)
})

test.each([
  [['0001_a.sql', '0002_b.sql', '0002_c.sql'], '0002_c.sql has the number of another file'],
  [['0001_a.sql', '0002_add-b.sql'], '0002_add-b.sql must be named like 0001_name.sql'],
  [['0001_a.sql', 'b.sql'], 'b.sql must be named like 0001_name.sql'],
])('of the files %j none is left out in silence', (names, message) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of names) writeFileSync(join(folder, name), 'select 1')

  expect(() => readMigrations(folder)).toThrow(MigrationError)
  expect(() => readMigrations(folder)).toThrow(message)
})

test('R-14 an applied migration that was edited is refused', async () => {
  const db = await openMigrated()
  const edited = known.map((migration, i) => (i === 0 ? { ...migration, checksum: 'another' } : migration))

  await expect(migrate(db, roles, edited)).rejects.toThrow(MigrationError)
  await expect(migrate(db, roles, edited)).rejects.toThrow(`${known[0]?.name} was edited after it had been applied`)
  expect(await isSchemaCurrent(db, edited)).toBe(false)
})

test('R-14 a database that is newer than this version is refused', async () => {
  const db = await openMigrated()
  const next = nextMigration('create table next (id integer)')
  await migrate(db, roles, [...known, next])

  await expect(migrate(db, roles)).rejects.toThrow(MigrationError)
  await expect(migrate(db, roles)).rejects.toThrow(
    `The database is newer than this version: it has migration ${next.name}`,
  )
  expect(await isSchemaCurrent(db)).toBe(false)
})

test('R-11 a migration that fails leaves nothing half done, and is applied once it is mended', async () => {
  const db = await openMigrated()
  const failing = nextMigration('create table half (id integer); insert into half values (1); select 1 / 0')

  await expect(migrate(db, roles, [...known, failing])).rejects.toThrow('division by zero')

  expect(await tables(db)).not.toContain('half')
  expect(await applied(db)).toEqual(known.map(({ name }) => name))
  expect(await isSchemaCurrent(db)).toBe(true)
  const mended = { ...failing, text: 'create table half (id integer)' }
  expect(await migrate(db, roles, [...known, mended])).toEqual([mended.name])
})

test.skipIf(!server)(
  'a migration takes the time that it needs, whatever the role is held to (needs PostgreSQL)',
  async () => {
    const database = await createTestDatabase()
    onTestFinished(database.remove)
    const url = directUrl(database.env)
    await onServer(url, `alter database ${new URL(url).pathname.slice(1)} set statement_timeout = '300ms'`)
    const { db, close } = await openPostgres(url)
    onTestFinished(close)
    const slow = nextMigration('select pg_sleep(0.5)')

    await expect(sql.raw(slow.text).execute(db)).rejects.toThrow('statement timeout')
    expect(await migrate(db, roles, [...known, slow])).toEqual([slow.name])
  },
)

test('the role table holds exactly the roles of auth.config.ts', async () => {
  const db = await openMigrated()

  await migrate(db, ['user', 'admin', 'auditor'])

  expect(await roleNames(db)).toEqual(['admin', 'auditor', 'user'])
})

test('removing a role that users have is refused by name, and changes nothing', async () => {
  const db = await openMigrated()
  const user = { id: randomUUID(), name: 'Ada', email: 'ada@example.com', role: 'moderator' }
  await db.insertInto('user').values(user).execute()

  const removal = migrate(db, ['user', 'admin', 'auditor'])

  await expect(removal).rejects.toThrow(MigrationError)
  await expect(removal).rejects.toThrow('Role "moderator" is not in auth.config.ts, but users have it')
  expect(await roleNames(db)).toEqual(['admin', 'moderator', 'user'])
})

test.skipIf(!server)(
  'R-10 ten instances that migrate an empty database at once all succeed (needs PostgreSQL)',
  async () => {
    const name = `latchkey_empty_${process.pid}`
    await onServer(server ?? '', `create database ${name}`)
    onTestFinished(() => onServer(server ?? '', `drop database ${name} with (force)`))
    const instances = await Promise.all(Array.from({ length: 10 }, () => openPostgres(databaseUrl(server ?? '', name))))

    const results = await Promise.all(instances.map(({ db }) => migrate(db, roles)))

    const [{ db }] = instances as [Database]
    // Which instance applies which is chance; that each is applied by one of them is not.
    expect(results.flat().sort()).toEqual(known.map((migration) => migration.name))
    expect(await applied(db)).toEqual(known.map((migration) => migration.name))
    expect(await isSchemaCurrent(db)).toBe(true)
    expect(await roleNames(db)).toEqual([...roles].sort())
    const { rows } = await sql`select schema_name from information_schema.schemata where schema_owner = current_user
    and schema_name !~ '^(pg_|information_schema|public$)'`.execute(db)
    expect(rows).toEqual([])
    await Promise.all(instances.map(({ close }) => close()))
  },
)
