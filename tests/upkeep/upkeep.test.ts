import { Writable } from 'node:stream'
import { sql } from 'kysely'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createLog } from '../../src/log.ts'
import { allSwept, type Swept, sweepBatch } from '../../src/upkeep/upkeep.queries.ts'
import { createUpkeep } from '../../src/upkeep/upkeep.ts'
import { onPostgres } from '../support/database-template.ts'
import { directUrl, startService, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { left, rowMaker } from './rows.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const { db } = service
// It would come in between.
await service.services.upkeep.close()
const { make, userId, clientId } = await rowMaker(db)

let lines: string[] = []
beforeEach(() => {
  lines = []
})

function upkeepOf(options: Partial<Parameters<typeof createUpkeep>[0]> = {}) {
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = createLog('info', destination)
  const upkeep = createUpkeep({
    db,
    log,
    batchSize: 10,
    auditDays: 0,
    maintainKeys: () => Promise.resolve(),
    ...options,
  })
  onTestFinished(() => upkeep.close())
  return upkeep
}

/** In seconds: when a row of a kind may just not go yet, and when it must. */
const limits: Record<Swept, [notYet: number, due: number]> = {
  session: [8 * 60, 11 * 60],
  verification: [10, 70],
  accessToken: [10, 70],
  refreshToken: [10, 70],
  clientAssertion: [10, 70],
  revokedToken: [10, 70],
  redeemedCode: [59 * 60, 62 * 60],
  requestCount: [10, 70],
  passwordAttempt: [10, 70],
  knownAddress: [89 * 86_400, 91 * 86_400],
  rateLimit: [8 * 60, 11 * 60],
}

test.each(allSwept)('%s: what is over goes, in as many batches as it takes, and nothing before', async (kind) => {
  const [notYet, due] = limits[kind]
  const kept = [...(await make(kind, notYet, 2)), ...(await make(kind, -3_600, 2))]
  const over = await make(kind, due, 25)

  await upkeepOf().run()

  expect(await left(db, kind, [...kept, ...over])).toEqual(kept)
  expect(lines).toEqual([])
})

test('R-46 a batch is as large as it may be, and the oldest rows are in the first', async () => {
  const [newer, older] = [await make('verification', 100, 5), await make('verification', 200, 20)]

  expect(await sweepBatch(db, 'verification', 20)).toBe(20)
  expect(await left(db, 'verification', [...newer, ...older])).toEqual(newer)
  expect(await sweepBatch(db, 'verification', 20)).toBe(5)
  expect(await sweepBatch(db, 'verification', 20)).toBe(0)
})

test('a refresh token stays as long as an access token of it is good, and goes after it', async () => {
  const refresh = await make('refreshToken', 100)
  const access = await make('accessToken', -3_600)
  await sql`update oauth_access_token set refresh_id = ${refresh[0]} where id = ${access[0]}`.execute(db)

  await upkeepOf().run()
  expect([await left(db, 'refreshToken', refresh), await left(db, 'accessToken', access)]).toEqual([refresh, access])

  await sql`update oauth_access_token set expires_at = now() - interval '2 minutes' where id = ${access[0]}`.execute(db)
  await upkeepOf().run()
  expect([await left(db, 'refreshToken', refresh), await left(db, 'accessToken', access)]).toEqual([[], []])
})

test('with a session go its tokens, but for those of offline access', async () => {
  const [session] = await make('session', 700)
  const [offline, online] = await make('refreshToken', -3_600, 2)
  await sql`update oauth_refresh_token set session_id = ${session} where id in (${offline}, ${online})`.execute(db)
  await sql`update oauth_refresh_token set scopes = '["openid"]' where id = ${online}`.execute(db)

  await upkeepOf().run()

  const tokens = db.selectFrom('oauth_refresh_token').select(['id', 'session_id'])
  expect(await tokens.where('id', 'in', [String(offline), String(online)]).execute()).toEqual([
    { id: offline, session_id: null },
  ])
})

test('grants, consents and the users themselves stay', async () => {
  await upkeepOf().run()

  const { rows } = await sql`select client_id from oauth_grant where user_id = ${userId}`.execute(db)
  expect(rows).toEqual([{ client_id: clientId }])
})

test('R-46 several that come at once do it all, and nothing fails', async () => {
  const over = await make('session', 700, 45)

  await Promise.all([upkeepOf().run(), upkeepOf().run(), upkeepOf().run()])
  await upkeepOf().run()

  expect(await left(db, 'session', over)).toEqual([])
  expect(lines).toEqual([])
})

test.runIf(onPostgres)('R-46 while one instance sweeps another does not, nor waits', async () => {
  const over = await make('verification', 100)

  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('upkeep', 0))`.execute(trx)
    expect(await sweepBatch(db, 'verification', 10)).toBeUndefined()
    await upkeepOf().run()
    expect(await left(db, 'verification', over)).toEqual(over)
  })

  await upkeepOf().run()
  expect(await left(db, 'verification', over)).toEqual([])
})

test.runIf(onPostgres)('R-46 a row that somebody holds is left for later', async () => {
  const over = await make('session', 700, 3)

  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('session').select('id').where('id', '=', String(over[1])).forKeyShare().execute()
    await upkeepOf().run()
    expect(await left(db, 'session', over)).toEqual([over[1]])
  })

  await upkeepOf().run()
  expect(await left(db, 'session', over)).toEqual([])
})

test.runIf(onPostgres)('no instance is told of it: nobody has less authority than before', async () => {
  const listener = new pg.Client(directUrl(service.env))
  await listener.connect()
  onTestFinished(() => listener.end())
  const heard: (string | undefined)[] = []
  listener.on('notification', ({ payload }) => heard.push(payload))
  await listener.query('listen authority')
  await make('refreshToken', 100)
  await make('verification', 100)
  const sessions = await make('session', 700, 3)
  await sql`select pg_notify('authority', 'begin')`.execute(db)

  await service.services.keys.maintain(() => Promise.reject(new Error('No key is due')))
  await upkeepOf().run()
  await sql`select pg_notify('authority', 'end')`.execute(db)

  await vi.waitFor(() => expect(heard).toContain('end'), 20_000)
  expect(heard.slice(heard.indexOf('begin'))).toEqual(['begin', 'end'])
  expect(await left(db, 'session', sessions)).toEqual([])
})

test('what fails is told in one line, keeps nothing else from being done, and is tried again', async () => {
  const [tokens, assertions] = [await make('revokedToken', 100), await make('clientAssertion', 100)]
  const maintainKeys = vi.fn<() => Promise<void>>(() => Promise.resolve()).mockRejectedValueOnce(new Error('no key'))
  const upkeep = upkeepOf({ maintainKeys })
  await sql`alter table oauth_client_assertion rename to elsewhere`.execute(db)

  await upkeep.run()
  await sql`alter table elsewhere rename to oauth_client_assertion`.execute(db)
  expect(await left(db, 'revokedToken', tokens)).toEqual([])
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ level: 50, failed: ['keys', 'clientAssertion'], msg: 'upkeep failed, trying again' }),
  ])

  await upkeep.run()
  expect(await left(db, 'clientAssertion', assertions)).toEqual([])
  expect(lines).toHaveLength(1)
})

test('R-46 it goes by turns, so that much of one kind keeps no other waiting', async () => {
  await make('verification', 100, 25)
  await make('revokedToken', 100, 15)
  const deletes = (await queriesOf(() => upkeepOf().run())).filter((text) => text.includes('delete from'))

  const tables = deletes.map((text) => /delete from "?(\w+)/.exec(text)?.[1] ?? text)
  const first = tables.slice(0, allSwept.length)
  expect(new Set(first)).toHaveLength(allSwept.length)
  expect(tables.slice(allSwept.length)).toEqual(['verification', 'oauth_revoked_token', 'verification'])
})

test('it comes again about each minute, until it is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const maintainKeys = vi.fn<() => Promise<void>>(() => Promise.resolve())
  const upkeep = upkeepOf({ maintainKeys })
  upkeep.start()

  for (const round of [1, 2, 3]) {
    vi.advanceTimersByTime(44_000)
    expect(maintainKeys).toHaveBeenCalledTimes(round - 1)
    vi.advanceTimersByTime(32_000)
    expect(maintainKeys).toHaveBeenCalledTimes(round)
    await upkeep.run()
  }
  await upkeep.close()
  upkeep.start()
  vi.advanceTimersByTime(200_000)
  expect(maintainKeys).toHaveBeenCalledTimes(3)
})

test('closing it waits for what is under way, and begins nothing more', async () => {
  const over = await make('session', 700)
  const order: string[] = []
  let finish = () => {}
  const work = new Promise<void>((resolve) => (finish = resolve)).then(() => void order.push('done'))
  const upkeep = upkeepOf({ maintainKeys: () => work })
  const running = upkeep.run()
  const closed = upkeep.close().then(() => order.push('closed'))
  finish()
  await Promise.all([running, closed])

  expect(order).toEqual(['done', 'closed'])
  expect(await left(db, 'session', over)).toEqual(over)
})

test('a service does it, on its own database, and not once it is stopped', async () => {
  const other = await startService()
  const rows = await rowMaker(other.db)
  const over = await rows.make('session', 700, 120)
  await other.services.upkeep.run()

  expect(await left(other.db, 'session', over)).toEqual([])
  await other.stop()
  expect(other.logLines().filter((line) => line.includes('upkeep'))).toEqual([])
})
