import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { addRequestCounts, type RequestCount } from '../../src/db/request-counts.ts'
import { createRequestLimit, type RequestLimit } from '../../src/http/request-limit.ts'
import { startServiceForFile } from '../support/harness.ts'

const { db } = await startServiceForFile()
const minute = 60_000
const unshared = async () => []

/** Asks so many times. @returns how many requests may be made */
function ask(limit: Pick<RequestLimit, 'take'>, times: number, client = '192.0.2.1'): number {
  let allowed = 0
  for (let i = 0; i < times; i++) if (limit.take(client).isAllowed) allowed++
  return allowed
}

/** A limit as another instance has it, over the same database. */
function instance(name: string, perMinute: number) {
  return createRequestLimit({ name, perMinute, exchange: (counts) => addRequestCounts(db, counts) })
}

test('a minute begins with the first request of a client, and not before it is over is there another', () => {
  let at = 1_000
  const limit = createRequestLimit({ name: 'clock', perMinute: 3, exchange: unshared, now: () => at })

  expect(ask(limit, 2)).toBe(2)
  at += minute - 1
  expect(ask(limit, 3)).toBe(1)
  expect(limit.take('192.0.2.1')).toMatchObject({ isAllowed: false, remaining: 0, endsInMs: 1 })
  expect(limit.take('192.0.2.2')).toMatchObject({ isAllowed: true, remaining: 2, endsInMs: minute })
  at += 1
  expect(ask(limit, 4)).toBe(3)
  expect(limit.take('192.0.2.1')).toMatchObject({ isAllowed: false, endsInMs: minute })
})

test('instances honour one limit: what is over it is what they have not told each other yet', async () => {
  const [one, other] = [instance('together', 200), instance('together', 200)]

  expect(ask(one, 150)).toBe(150)
  expect(await one.share()).toBe(true)
  // As much as it lets through before it shares: a hundredth of the limit, and what arrives until then.
  expect(ask(other, 60)).toBe(60)
  expect(await other.share()).toBe(true)
  expect(ask(other, 10)).toBe(0)

  expect(ask(one, 2)).toBe(2)
  await one.share()
  expect(ask(one, 10)).toBe(0)
  expect(one.take('192.0.2.1').endsInMs).toBeLessThanOrEqual(minute)
  // What is refused is neither counted nor told.
  expect([await one.share(), await other.share()]).toEqual([false, false])
})

test('requests that come while counts are told are kept, and told the next time', async () => {
  const told: number[] = []
  let total = 0
  const limit = createRequestLimit({
    name: 'busy',
    perMinute: 10,
    async exchange(counts) {
      ask(limit, 3)
      for (const { requests } of counts) {
        told.push(requests)
        total += requests
      }
      return counts.map((count) => ({ ...count, requests: total }))
    },
  })

  ask(limit, 4)
  await limit.share()
  expect(ask(limit, 10)).toBe(3)
  await limit.share()

  expect(told).toEqual([4, 6])
})

test('what comes while counts are told is told, though nothing comes any more, and of a new minute, too', async () => {
  let at = 0
  const told: number[] = []
  const meanwhile = [() => ask(limit, 1), () => (at += minute) && ask(limit, 2)]
  const limit = createRequestLimit({
    name: 'last',
    perMinute: 10,
    now: () => at,
    async exchange(counts) {
      told.push(...counts.map(({ requests }) => requests))
      meanwhile.shift()?.()
      return [{ key: 'of somebody else', requests: 9, endsInMs: minute }, ...counts]
    },
  })

  ask(limit, 4)
  for (let share = 1; share <= 3; share++) expect(await limit.share()).toBe(true)
  expect(await limit.share()).toBe(false)

  expect(told).toEqual([4, 1, 2])
  expect(ask(limit, 10)).toBe(8)
})

test('a request waits for nothing, and who asks little costs the database nothing', async () => {
  let exchanges = 0
  const exchange = async () => {
    exchanges++
    return []
  }
  const limit = createRequestLimit({ name: 'little', perMinute: 1_000, exchange })

  for (let client = 0; client < 500; client++) expect(limit.take(`client ${client}`).isAllowed).toBe(true)
  ask(limit, 9)
  expect(await limit.share()).toBe(false)
  expect(exchanges).toBe(0)

  ask(limit, 1)
  expect(exchanges).toBe(0)
  expect(await limit.share()).toBe(true)
  expect(exchanges).toBe(1)
})

test('B-12 while nothing can be told each instance counts by itself, and tells all afterwards', async () => {
  let isDown = true
  const told: RequestCount[] = []
  const limit = createRequestLimit({
    name: 'down',
    perMinute: 5,
    async exchange(counts) {
      if (isDown) throw new Error('the database is down')
      told.push(...counts)
      return counts
    },
  })

  expect(ask(limit, 3)).toBe(3)
  await expect(limit.share()).rejects.toThrow('the database is down')
  expect(ask(limit, 3)).toBe(2)
  isDown = false
  await limit.share()

  expect(told).toEqual([{ key: 'down|192.0.2.1', requests: 5, endsInMs: expect.any(Number) }])
  expect(ask(limit, 1)).toBe(0)
})

test('B-12 a flood of a million clients is forgotten first, and told in batches of bounded size', async () => {
  const batches: number[] = []
  const limit = createRequestLimit({
    name: 'flood',
    perMinute: 1,
    maxClients: 12_000,
    async exchange(counts) {
      batches.push(counts.length)
      return counts
    },
  })

  expect(limit.take('busy').isAllowed).toBe(true)
  for (let thousand = 0; thousand < 1_000; thousand++) {
    let allowed = 0
    for (let i = 0; i < 1_000; i++) allowed += ask(limit, 1, `client ${thousand * 1_000 + i}`)
    expect([allowed, limit.take('busy').isAllowed]).toEqual([1_000, false])
  }
  // The first of them came so long ago that it is a client like any other.
  expect(limit.take('client 0').isAllowed).toBe(true)
  await limit.share()
  expect(batches).toEqual(Array.from({ length: 10 }, () => 1_000))
  await limit.share()

  expect(batches.slice(10)).toEqual([1_000, 1_000])
  expect(await limit.share()).toBe(false)
})

test('B-12 who is forgotten while others are told of is not told of any more', async () => {
  const batches: number[] = []
  const limit = createRequestLimit({
    name: 'forgotten',
    perMinute: 1,
    maxClients: 1_001,
    async exchange(counts) {
      if (batches.push(counts.length) === 1) for (let i = 0; i < 1_001; i++) ask(limit, 1, `new ${i}`)
      return counts
    },
  })
  for (let i = 0; i < 1_001; i++) ask(limit, 1, `client ${i}`)

  await limit.share()
  await limit.share()

  expect(batches).toEqual([1_000, 1_000, 1])
})

test('a client that came back after its minute has nothing to tell of the one before', async () => {
  let at = 0
  const exchange = vi.fn<typeof unshared>(unshared)
  const limit = createRequestLimit({ name: 'stale', perMinute: 5, exchange, now: () => at })
  ask(limit, 3)
  at += minute

  await limit.share()

  expect(await limit.share()).toBe(false)
  expect(exchange).not.toHaveBeenCalled()
  expect(ask(limit, 6)).toBe(5)
})

test('counts are added up until their window is over, by the clock of the database', async () => {
  const counts = (requests: number, endsInMs = minute) => [{ key: 'added', requests, endsInMs }]

  expect(await addRequestCounts(db, counts(2))).toEqual([{ key: 'added', requests: 2, endsInMs: minute }])
  const [second] = await addRequestCounts(db, counts(3))
  expect(second?.requests).toBe(5)
  // The window of who came first counts.
  expect(second?.endsInMs).toBeLessThan(minute)

  await sql`update request_count set ends_at = now() - interval '1 millisecond' where key = 'added'`.execute(db)
  expect(await addRequestCounts(db, counts(4))).toEqual([{ key: 'added', requests: 4, endsInMs: minute }])
})
