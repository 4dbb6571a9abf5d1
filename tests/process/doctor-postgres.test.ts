import { describe, expect, onTestFinished, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import type { Config } from '../../src/config.ts'
import { openDatabase } from '../../src/db/database.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { examineService } from '../../src/run-doctor.ts'
import { onPostgres, onServer } from '../support/database-template.ts'
import { byCheck } from '../support/examined.ts'
import { directUrl, startServiceForFile } from '../support/harness.ts'
import { onDatabase, startPooler } from '../support/listening.ts'
import { lacksPgbouncer } from '../support/pgbouncer.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const saying = (what: RegExp) => expect.stringMatching(what) as string

describe.skipIf(!onPostgres)('a PostgreSQL (needs TEST_DATABASE_URL)', async () => {
  const service = await startServiceForFile()
  const url = directUrl(service.env)
  const name = new URL(url || 'postgres://x').pathname.slice(1)

  /** What the doctor finds with another configuration. */
  async function examinedAs(change: Partial<Config>): Promise<Record<string, Finding>> {
    const config = { ...service.services.config, ...change }
    return byCheck(await examineService({ ...service.services, config }, authConfig))
  }

  /** What the doctor finds over connections of its own, as the command does. */
  async function examinedOver(own: string, direct?: string): Promise<Record<string, Finding>> {
    const limits = direct === undefined ? 'request' : 'pooled'
    const opened = await openDatabase({ kind: 'postgres', url: own, directUrl: direct, limits, onError: () => {} })
    onTestFinished(opened.close)
    const { config } = service.services
    const changed = { ...config, database: { url: own, directUrl: direct } }
    return byCheck(await examineService({ ...service.services, db: opened.db, config: changed }, authConfig))
  }

  test('with fewer connections than an instance, or two, may open', async () => {
    const [limit = 0] = (await onDatabase(url, 'show max_connections')).map(Number)
    const most = Math.floor((limit - 3) / 12)
    for (const [workers, level] of [
      [most + 1, 'problem'],
      [most, 'warning'],
      [Math.floor(most / 2), 'ok'],
    ] as const)
      expect((await examinedAs({ workers, database: { url, directUrl: undefined } }))['connections']).toMatchObject({
        level,
      })

    await onDatabase(url, `alter database ${name} connection limit 11`)
    onTestFinished(async () => void (await onDatabase(url, `alter database ${name} connection limit -1`)))
    expect((await examinedOver(url))['connections']).toMatchObject({ level: 'problem', what: saying(/allows 11$/) })
  })

  test('that is read-only', async () => {
    await onDatabase(url, `alter database ${name} set default_transaction_read_only = on`)
    const undo = `alter database ${name} reset default_transaction_read_only`
    onTestFinished(() => onServer(process.env['TEST_DATABASE_URL'] ?? '', undo))

    expect((await examinedOver(url))['database']).toMatchObject({ level: 'problem', what: 'the database is read-only' })
  })

  test.each<[string, () => Promise<string> | string, RegExp, RegExp]>([
    ['has no such database', () => url.replace(name, 'nowhere'), /"nowhere" does not exist/, /name of the database/],
    [
      'is not there',
      async () => `postgres://postgres:canary@127.0.0.1:${await freePort()}/x`,
      /ECONNREFUSED/,
      /host and the port/,
    ],
    [
      'knows no such user',
      () => url.replace(/\/\/\w+@/, '//stranger:canary@'),
      /role "stranger" does not exist/,
      /user and the password/,
    ],
    ['speaks no TLS', () => `${url}?sslmode=verify-full`, /does not support SSL/, /sslmode/],
  ])('that %s', async (_name, at, what, mend) => {
    const findings = await examinedOver(await at())

    expect(findings['database']).toEqual({
      check: 'database',
      level: 'problem',
      what: saying(what),
      mend: saying(mend),
    })
    expect(findings['public-url']).toMatchObject({ level: 'warning', what: saying(/only its database tells/) })
    expect(JSON.stringify(findings)).not.toContain('canary')
  })

  describe.skipIf(lacksPgbouncer)('behind PgBouncer in transaction mode (needs pgbouncer)', () => {
    test('that refuses what limits statements: DIRECT_URL is missing', async () => {
      const { database } = await examinedOver((await startPooler(url))(url))

      expect(database).toMatchObject({
        level: 'problem',
        what: saying(/startup parameter/),
        mend: saying(/set DIRECT_URL/),
      })
    })

    test('that ignores what limits statements: neither limits nor changes arrive', async () => {
      const findings = await examinedOver((await startPooler(url, ['lock_timeout', 'statement_timeout']))(url))

      expect(findings['timeouts']).toMatchObject({ level: 'warning', mend: saying(/check the pooler/) })
      expect(findings['notifications']).toMatchObject({
        level: 'problem',
        what: saying(/do not arrive/),
        mend: saying(/DIRECT_URL/),
      })
    })

    test('with DIRECT_URL: changes arrive, and limits once the role has them', async () => {
      const pooled = (await startPooler(url))(url)
      const without = await examinedOver(pooled, url)
      expect(without['notifications']).toMatchObject({ level: 'ok' })
      expect(without['timeouts']).toMatchObject({ level: 'warning', mend: saying(/alter role/) })
      expect(without['connections']).toBeUndefined()

      for (const [limit, ms] of [
        ['statement_timeout', 5_000],
        ['lock_timeout', 3_000],
      ])
        await onDatabase(url, `alter database ${name} set ${limit} = ${ms}`)
      onTestFinished(async () => void (await onDatabase(url, `alter database ${name} reset all`)))
      const another = (await startPooler(url))(url)
      expect((await examinedOver(another, url))['timeouts']).toMatchObject({ level: 'ok' })
    })
  })

  test('is not written to: who may only read sees the same', async () => {
    const reader = `reader_of_${name}`
    await onDatabase(url, `create role ${reader} login in role pg_read_all_data`)
    onTestFinished(async () => void (await onDatabase(url, `drop role ${reader}`)))
    const own = new URL(url)
    own.username = reader

    const findings = await examinedOver(own.href)

    expect(findings).toEqual(await examinedOver(url))
    for (const check of ['database', 'migrations', 'signing-key', 'notifications', 'public-url'])
      expect(findings[check]?.level).toBe('ok')
  })
})
