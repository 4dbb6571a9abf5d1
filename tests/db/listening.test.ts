import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../src/db/notifications.ts'
import { onPostgres } from '../support/database-template.ts'
import {
  createUser,
  isKnownOnceCurrent,
  killListener,
  listeners,
  listenTo,
  onDatabase,
  patient,
  startPooler,
  startWay,
} from '../support/listening.ts'
import { lacksPgbouncer } from '../support/pgbouncer.ts'

const server = process.env['TEST_DATABASE_URL'] ?? ''

describe.skipIf(!onPostgres)('on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  test('what others tell is heard, and that it can be', async () => {
    const { url, events, becomesCurrent, notifications } = await listenTo()
    await becomesCurrent()
    await onDatabase(url, `select pg_notify('authority', 'user:ada')`)
    await expect.poll(() => events, patient).toEqual(['gap', 'carries', 'user:ada'])
    expect(notifications.age()).toBeLessThanOrEqual(2_000)
  })

  test('what a write tells is heard before the write returns', async () => {
    const { db, events, becomesCurrent, isSafe } = await listenTo()
    await becomesCurrent()
    for (let round = 0; round < 20; round++) {
      const [first, second] = [await createUser(db), await createUser(db)]
      await first.rename(db)
      expect(isSafe(first.told)).toBe(true)
      await db.transaction().execute(async (trx) => {
        await second.rename(trx)
        expect(events).not.toContain(second.told)
      })
      expect(isSafe(second.told)).toBe(true)
    }
    await becomesCurrent()
    expect(events.filter((event) => event.startsWith('user:'))).toHaveLength(40)
  })

  test('writes at once are all heard when they return', async () => {
    const { db, becomesCurrent, isSafe } = await listenTo()
    await becomesCurrent()
    const users = await Promise.all(Array.from({ length: 30 }, () => createUser(db)))
    const safe = await Promise.all(users.map(({ rename, told }) => rename(db).then(() => isSafe(told))))
    expect(safe).toEqual(safe.map(() => true))
  })

  test('R-20 a backend that is killed is replaced, and what was missed is a gap', async () => {
    const { db, url, events, notifications, becomesCurrent, isSafe } = await listenTo()
    await becomesCurrent()
    const user = await createUser(db)
    expect(await onDatabase(url, killListener)).toEqual([true])
    await becomesCurrent(false)
    expect(notifications.age()).toBe(Number.POSITIVE_INFINITY)
    await expect.poll(() => events, patient).toContain('terminating connection due to administrator command')
    await becomesCurrent()
    expect(events.filter((event) => event === 'gap')).toHaveLength(2)
    expect(events.at(-1)).toBe('carries')
    await user.rename(db)
    expect(isSafe(user.told)).toBe(true)
    await expect.poll(() => events, patient).toContain(user.told)
  })

  test('R-20 a write while the way is cut returns, and is covered by a gap before anything is current again', async () => {
    const proxy = await startWay()
    const listening = await listenTo({ direct: proxy.url })
    const { db, events, becomesCurrent, isCurrent } = listening
    await becomesCurrent()
    const { rename, told } = await createUser(db)
    proxy.cut()
    await becomesCurrent(false)
    const from = events.length
    await rename(db)
    expect([isCurrent(), events.includes(told)]).toEqual([false, false])
    proxy.thaw()
    expect(await isKnownOnceCurrent(listening, told, from)).toBe(true)
  })

  test('R-20 a backend that is stopped makes nothing current, and no write wait for it', async () => {
    const listening = await listenTo()
    const { db, url, events, becomesCurrent, isCurrent } = listening
    await becomesCurrent()
    const { rename, told } = await createUser(db)
    const [pid] = (await onDatabase(url, `select pid ${listeners}`)) as [number]
    onTestFinished(() => void process.kill(pid, 'SIGCONT'))
    const from = events.length
    process.kill(pid, 'SIGSTOP')
    for (let write = 0; write < 5; write++) {
      await rename(db)
      expect([isCurrent(), events.includes(told)]).toEqual([false, false])
    }
    await becomesCurrent(false)
    process.kill(pid, 'SIGCONT')
    expect(await isKnownOnceCurrent(listening, told, from)).toBe(true)
  })

  test('R-20 a way that lost its way makes nothing current without anybody writing', async () => {
    const proxy = await startWay()
    const { db, events, becomesCurrent, isSafe } = await listenTo({ direct: proxy.url })
    await becomesCurrent()
    const user = await createUser(db)
    proxy.freeze()
    await becomesCurrent(false)
    proxy.thaw()
    await becomesCurrent()
    expect(events).not.toContain(user.told)
    await user.rename(db)
    expect(isSafe(user.told)).toBe(true)
    await expect.poll(() => events, patient).toContain(user.told)
  })

  test('R-20 a way that takes longer than a write waits is never ahead of what was written', async () => {
    const proxy = await startWay()
    const listening = await listenTo({ direct: proxy.url })
    const { db, events, becomesCurrent, isCurrent } = listening
    await becomesCurrent()
    const { rename, told } = await createUser(db)
    proxy.delay(300)
    for (let write = 0; write < 3; write++) {
      const from = events.length
      await rename(db)
      expect(isCurrent() && !events.slice(from).includes(told)).toBe(false)
      expect(await isKnownOnceCurrent(listening, told, from)).toBe(true)
    }
  })

  test('a way that is very slow once it is back is not taken for a pooler', async () => {
    const proxy = await startWay()
    const { url } = await listenTo()
    const reasons: string[] = []
    let gaps = 0
    const { isCurrent, close } = listen({
      url,
      directUrl: proxy.url(url),
      channel: 'authority',
      onNotification: () => {},
      onGap: () => ++gaps === 2 && proxy.delay(1_200),
      onChange: (state) => !state.carries && reasons.push(state.reason),
    })
    onTestFinished(close)
    await expect.poll(isCurrent, patient).toBe(true)
    proxy.cut()
    await expect.poll(isCurrent, patient).toBe(false)
    proxy.thaw()
    await expect.poll(() => reasons, patient).toContain('what was told was not heard in time')
    proxy.delay(0)
    await expect.poll(isCurrent, patient).toBe(true)
    expect(reasons.filter((reason) => reason.includes('DIRECT_URL'))).toEqual([])
  })

  test('things become current under steady writing, too', async () => {
    const proxy = await startWay()
    const { db, url, events, becomesCurrent } = await listenTo({ direct: proxy.url })
    const users = await Promise.all(Array.from({ length: 5 }, () => createUser(db)))
    await becomesCurrent()
    proxy.delay(20)
    const ended = new AbortController()
    const writing = users.map(async ({ rename }) => {
      while (!ended.signal.aborted) await rename(db)
    })
    await onDatabase(url, killListener)
    await becomesCurrent(false)
    await becomesCurrent().finally(() => ended.abort())
    await Promise.all(writing)
    expect(events.filter((event) => event === 'gap').length).toBeGreaterThan(1)
  })

  test('a pool without a free connection does not end it', async () => {
    const { db, events, becomesCurrent, notifications } = await listenTo()
    await becomesCurrent()
    let end: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      end = resolve
    })
    const holders = Array.from({ length: 10 }, () =>
      db.transaction().execute(async (trx) => {
        await sql`select 1`.execute(trx)
        await held
      }),
    )
    let beats = 0
    for (let age = notifications.age(); beats < 3; ) {
      await pause(50)
      if (notifications.age() < age) beats += 1
      age = notifications.age()
    }
    await becomesCurrent()
    end()
    await Promise.all(holders)
    expect(events).toEqual(['gap', 'carries'])
  })

  test.skipIf(lacksPgbouncer)(
    'R-09 behind PgBouncer in transaction mode nothing is current, and the reason is told once',
    async () => {
      const pooled = await startPooler(server)
      const { db, events, isCurrent } = await listenTo({ pooled })
      const user = await createUser(db)
      const reasons = () => events.filter((event) => event !== 'gap' && event !== user.told)
      while (reasons().length === 0) {
        expect(isCurrent()).toBe(false)
        await user.rename(db)
      }
      expect(reasons()).toEqual([expect.stringContaining('set DIRECT_URL')])
      await user.rename(db)
      expect(isCurrent()).toBe(false)
    },
  )

  test.skipIf(lacksPgbouncer)(
    'R-09 past PgBouncer what is written through it is heard before the write returns',
    async () => {
      const pooled = await startPooler(server)
      const { db, events, becomesCurrent } = await listenTo({ pooled, direct: (url) => url })
      await becomesCurrent()
      const user = await createUser(db)
      await user.rename(db)
      expect(events).toEqual(['gap', 'carries', user.told])
    },
  )
})
