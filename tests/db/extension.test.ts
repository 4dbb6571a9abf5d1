import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { migrate } from '../../src/db/migrate.ts'
import { databaseUrl, onServer } from '../support/database-template.ts'

const server = process.env['TEST_DATABASE_URL'] ?? ''

/** A database in which an ordinary role may make tables, but no extension. */
async function createRestricted(): Promise<{ url: string; asAdministrator: (statement: string) => Promise<void> }> {
  const name = `latchkey_restricted_${randomUUID().replaceAll('-', '')}`
  await onServer(server, `create database ${name}`)
  const whole = databaseUrl(server, name)
  await onServer(server, `create role ${name} login password 'secret'`)
  await onServer(whole, `grant create on schema public to ${name}`)
  onTestFinished(async () => {
    await onServer(server, `drop database ${name} with (force)`)
    await onServer(server, `drop role ${name}`)
  })
  const url = new URL(whole)
  url.username = name
  url.password = 'secret'
  return { url: url.href, asAdministrator: (statement) => onServer(whole, statement) }
}

test.skipIf(!server)(
  'where pg_trgm may not be created the migration says what to do, and takes it from any schema (needs PostgreSQL)',
  async () => {
    const { url, asAdministrator } = await createRestricted()
    const { db, close } = await openDatabase({ kind: 'postgres', url, limits: 'migration', onError: () => {} })
    onTestFinished(close)
    const roles = ['user', 'admin']

    await expect(migrate(db, roles)).rejects.toThrow(
      'an administrator of the database must run "create extension pg_trgm" in it (permission denied',
    )
    await asAdministrator('create schema "Else where"')
    await asAdministrator('grant usage on schema "Else where" to public')
    await asAdministrator('create extension pg_trgm schema "Else where"')
    await migrate(db, roles)

    expect(await db.selectFrom('user').select('id').where('name', 'ilike', '%ada%').execute()).toEqual([])
  },
)
