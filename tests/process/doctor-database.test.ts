import { sql } from 'kysely'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { verifyAuditLog } from '../../src/admin/audit-log.ts'
import type { Config } from '../../src/config.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { examineService } from '../../src/run-doctor.ts'
import { onPostgres } from '../support/database-template.ts'
import { byCheck, examined } from '../support/examined.ts'
import { startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'

const service = await startServiceForFile()
const { db } = service
// It mends keys once a minute.
beforeAll(() => service.services.upkeep.close())

const saying = (what: RegExp) => expect.stringMatching(what) as string

/** Does something to the database, and undoes it when the test ends. */
async function changed(change: ReturnType<typeof sql>, undo: ReturnType<typeof sql>): Promise<void> {
  await change.execute(db)
  onTestFinished(async () => void (await undo.execute(db)))
}

/** What the doctor finds with another configuration. */
async function examinedAs(change: (config: Config) => Partial<Config>): Promise<Record<string, Finding>> {
  const { config } = service.services
  return byCheck(await examineService({ ...service.services, config: { ...config, ...change(config) } }, authConfig))
}

test('a database that is as it should be', async () => {
  const findings = await examined(service)

  for (const check of ['database', 'database-clock', 'migrations', 'signing-key', 'audit-log', 'notifications'])
    expect(findings[check]).toMatchObject({ level: 'ok' })
})

describe('migrations', () => {
  const table = sql`insert into schema_migration (version, name, checksum) values (9999, '9999_later.sql', 'x')`
  const last = sql`where version = (select max(version) from schema_migration)`

  test.each<[string, ReturnType<typeof sql>, ReturnType<typeof sql>, RegExp, RegExp]>([
    [
      'are of a newer version',
      table,
      sql`delete from schema_migration where version = 9999`,
      /newer .*: it has 9999_later\.sql/,
      /newer version/,
    ],
    [
      'were edited',
      sql`update schema_migration set checksum = 'x' || checksum ${last}`,
      sql`update schema_migration set checksum = substr(checksum, 2) where checksum like 'x%'`,
      /edited after .*: \d{4}_\w+\.sql/,
      /Restore/,
    ],
  ])('that %s are a problem', async (_name, change, undo, what, mend) => {
    await changed(change, undo)

    const findings = await examined(service)

    expect(findings['migrations']).toEqual({
      check: 'migrations',
      level: 'problem',
      what: saying(what),
      mend: saying(mend),
    })
    expect(findings['signing-key']).toBeUndefined()
  })

  test('that are pending are a problem, by name', async () => {
    const { rows } = await sql<{ name: string }>`
      delete from schema_migration where version = 14 returning version, name, checksum, applied_at`.execute(db)
    const [row] = rows as { version?: number; name: string; checksum?: string }[]
    onTestFinished(async () => {
      await sql`insert into schema_migration (version, name, checksum) values (${row?.version}, ${row?.name}, ${row?.checksum})`.execute(
        db,
      )
    })

    expect((await examined(service))['migrations']).toMatchObject({
      level: 'problem',
      what: `migrations are pending: ${row?.name}`,
      mend: 'npm run migrate',
    })
  })
})

describe('signing keys', () => {
  /** Changes all keys, and puts them back when the test ends. */
  async function keysAs(change: ReturnType<typeof sql>): Promise<void> {
    const before = await db.selectFrom('jwks').selectAll().execute()
    onTestFinished(async () => {
      await db.deleteFrom('jwks').execute()
      await db.insertInto('jwks').values(before).execute()
    })
    await change.execute(db)
  }

  test.each<[string, string, ReturnType<typeof sql>, RegExp, RegExp]>([
    ['is none', 'problem', sql`delete from jwks`, /there is no signing key/, /^Start the service/],
    [
      'is one that has ended',
      'problem',
      sql`update jwks set expires_at = now() - interval '1 minute'`,
      /of use any more/,
      /^Start/,
    ],
    [
      'is one that is yet to begin',
      'problem',
      sql`update jwks set active_at = now() + interval '1 day'`,
      /of use any more/,
      /^Start/,
    ],
    [
      'should be a next one',
      'warning',
      sql`update jwks set expires_at = now() + interval '22 hours'`,
      /next .* been made already/,
      /^Start/,
    ],
    [
      'is one that nobody gave an end',
      'warning',
      sql`update jwks set active_at = now() - interval '91 days', expires_at = null`,
      /an RS256 key has signed for 91 days, of 90/,
      /update jwks set expires_at = /,
    ],
    [
      'is one that signs for 90 days',
      'ok',
      sql`update jwks set active_at = now() - interval '90 days', expires_at = now() + interval '25 hours'`,
      /an RS256 key has signed for 90 days, of 90/,
      /^$/,
    ],
    [
      'is time for the next one',
      'ok',
      sql`update jwks set expires_at = now() + interval '25 hours'`,
      /an RS256 key has signed/,
      /^$/,
    ],
  ])('there %s: %s', async (_name, level, change, what, mend) => {
    await keysAs(change)

    const { 'signing-key': finding } = await examined(service)

    expect(finding).toMatchObject({ level, what: saying(what) })
    expect(finding?.mend ?? '').toMatch(mend)
  })

  test('of another algorithm are a warning', async () => {
    const findings = await examinedAs(({ jwt }) => ({ jwt: { ...jwt, algorithm: 'ES256' } }))

    expect(findings['signing-key']).toMatchObject({
      level: 'warning',
      what: 'tokens are signed with RS256, and JWT_ALGORITHM is ES256',
    })
  })
})

describe('the audit log', () => {
  /** Dates its end, as a clock that was ahead did. */
  async function dateEnd(at: ReturnType<typeof sql>): Promise<void> {
    await sql`alter table audit_head disable trigger audit_head_moves`.execute(db)
    await sql`update audit_head set last_at = ${at}`.execute(db)
    await sql`alter table audit_head enable trigger audit_head_moves`.execute(db)
  }

  test('whose end is dated more than a minute ahead is a warning, that says how to go on', async () => {
    onTestFinished(() => dateEnd(sql`now()`))
    await dateEnd(sql`now() + interval '50 seconds'`)
    expect((await examined(service))['audit-log']).toMatchObject({ level: 'ok' })

    await dateEnd(sql`now() + interval '2 hours'`)
    const { 'audit-log': finding } = await examined(service)
    expect(finding).toMatchObject({ level: 'warning', what: saying(/ 7[12]\d\d s ahead .* until \d{4}-\d\d-\d\dT/) })
    expect(finding?.mend).toMatch(onPostgres ? /^Set that clock by NTP; / : /^Set the clock of this machine by NTP; /)
  })

  test.skipIf(!onPostgres)('is dated by the clock again once that is done, and is whole', async () => {
    await dateEnd(sql`now() + interval '2 hours'`)
    const { mend = '' } = (await examined(service))['audit-log'] ?? {}
    await db.connection().execute((one) => sql.raw(mend.slice(mend.indexOf('begin;'))).execute(one))

    expect((await examined(service))['audit-log']).toEqual({
      check: 'audit-log',
      level: 'ok',
      what: 'the last event is not dated ahead',
    })
    await service.createUser()
    const { rows } = await sql<{ ahead: boolean }>`
      select created_at > now() + interval '1 minute' as ahead from audit_event order by seq desc limit 1`.execute(db)
    expect(rows).toEqual([{ ahead: false }])
    expect(await verifyAuditLog(db, undefined, 400)).toMatchObject({ isWhole: true })
  })
})

test('a check that fails is a problem of its own, and the others are made', async () => {
  await changed(sql`alter table jwks rename to jwks_away`, sql`alter table jwks_away rename to jwks`)

  const findings = await examined(service)

  expect(findings['signing-key']).toEqual({
    check: 'signing-key',
    level: 'problem',
    what: 'it could not be looked at: relation "jwks" does not exist',
    mend: 'Mend the other problems first',
  })
  expect(findings['notifications']).toMatchObject({ level: 'ok' })
  expect(findings['public-url']).toMatchObject({ level: 'warning' })
})

test('the mail server is looked at where there is one', async () => {
  const { url } = await startMailServer({ strangers: ['eve'] })
  const smtp = (who: string) => ({ smtp: { url: url.replace('//', `//${who}@`), from: 'latchkey@example.com' } })

  expect((await examinedAs(() => smtp('ada:canary')))['mail']).toMatchObject({ level: 'ok' })
  expect((await examinedAs(() => smtp('eve:canary')))['mail']).toMatchObject({ level: 'problem' })
})

test('without an active admin there is a warning; and one where the password of the first is still about', async () => {
  expect((await examined(service))['admin']).toMatchObject({ level: 'warning', mend: saying(/link in the log/) })
  expect((await examinedAs(() => ({ logLevel: 'error' })))['admin']?.mend).toBe('npm run admin -- create <email>')
  await service.createUser({ role: 'admin' })

  expect((await examined(service))['admin']).toEqual({ check: 'admin', level: 'ok', what: '1 admin' })
  const settings = { isLoopback: false, admin: { email: 'root@example.com', password: 'canary' } }
  const { admin } = await examinedAs(() => settings)
  expect(admin).toMatchObject({ level: 'warning', mend: 'Unset ADMIN_EMAIL and ADMIN_PASSWORD' })
  expect(JSON.stringify(admin)).not.toMatch(/canary|root@/)
})
