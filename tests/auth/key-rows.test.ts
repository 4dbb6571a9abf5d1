import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { KyselyPlugin } from 'kysely'
import { afterEach, expect, test, vi } from 'vitest'
import { inAuthTransaction } from '../../src/auth/auth-transaction.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import type { Db } from '../../src/db/database.ts'
import { counted, withPatience } from '../../src/db/patience.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()

afterEach(() => vi.restoreAllMocks())

/** The service's database; `answer` may hold each result back, or fail it. */
function watched(answer: (reading: number) => Promise<unknown> = () => Promise.resolve()) {
  let readings = 0
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      readings++
      return node
    },
    async transformResult({ result }) {
      await answer(readings)
      return result
    },
  }
  return { db: service.db.withPlugin(plugin) as Db, count: () => readings }
}

/** A clock that stands still until it is moved. */
function stoppedClock() {
  const clock = { now: 1_000 }
  vi.spyOn(performance, 'now').mockImplementation(() => clock.now)
  return clock
}

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('all who ask while the keys are being read wait for one reading, and who comes later need not wait', async () => {
  const { db, count } = watched()
  const rows = createKeyRows(db, () => true)

  const sets = await Promise.all(Array.from({ length: 50 }, async () => rows.read()))

  expect(new Set(sets).size).toBe(1)
  expect(rows.read()).toBe(sets[0])
  expect(count()).toBe(1)
})

test('the keys are read again where changes may not be heard of, and those that did not change stay the same', async () => {
  const { db, count } = watched()
  const rows = createKeyRows(db, () => false)
  const clock = stoppedClock()
  const [first] = [...(await rows.read()).values()]

  clock.now += 249
  expect(rows.read()).not.toBeInstanceOf(Promise)
  clock.now += 1
  expect(rows.read()).toBeInstanceOf(Promise)

  expect([...(await rows.read()).values()][0]).toBe(first)
  expect(first?.verification?.algorithm).toBe('RS256')
  expect(count()).toBe(2)
})

test('the keys stay while every change is heard of, and are read again as soon as one may not be', async () => {
  let isHeard = true
  const { db, count } = watched()
  const rows = createKeyRows(db, () => isHeard)
  const clock = stoppedClock()
  await rows.read()

  clock.now += 3_600_000
  expect(rows.read()).not.toBeInstanceOf(Promise)
  isHeard = false
  expect(rows.read()).toBeInstanceOf(Promise)
  await rows.read()
  isHeard = true
  rows.forget()
  expect(rows.read()).toBeInstanceOf(Promise)
  expect(count()).toBe(3)
})

test('a reading that takes long counts as old as it is', async () => {
  const clock = stoppedClock()
  const { db } = watched(() => {
    clock.now += 200
    return Promise.resolve()
  })
  const rows = createKeyRows(db, () => false)

  await rows.read()
  expect(rows.read()).not.toBeInstanceOf(Promise)
  clock.now += 50
  expect(rows.read()).toBeInstanceOf(Promise)
})

test('what was read before word of a change came is not kept', async () => {
  const [slow, slower] = [gate(), gate()]
  const { db, count } = watched((reading) => [slow, slower][reading - 1]?.opened ?? Promise.resolve())
  const rows = createKeyRows(db, () => true)

  const first = rows.read()
  rows.forget()
  slow.open()
  await first
  const second = rows.read()
  expect(second).toBeInstanceOf(Promise)

  rows.forget()
  const third = await rows.read()
  slower.open()
  expect(await second).not.toBe(third)
  expect(rows.read()).toBe(third)
  expect(count()).toBe(3)
})

test('who asks is told that the keys cannot be read, and is not given older ones', async () => {
  let isDown = false
  const { db, count } = watched(() => (isDown ? Promise.reject(new Error('the database is down')) : Promise.resolve()))
  const rows = createKeyRows(db, () => false)
  const clock = stoppedClock()
  const known = await rows.read()

  isDown = true
  clock.now += 249
  expect(rows.read()).toBe(known)
  clock.now += 1
  const answers = await Promise.allSettled(Array.from({ length: 20 }, async () => rows.read()))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['rejected']))
  expect(count()).toBe(2)

  isDown = false
  expect((await rows.read()).size).toBe(known.size)
})

test('who has no time left fails alone, and not the others who wait for the reading that they began', async () => {
  const rows = createKeyRows(service.db, () => true)
  const clock = stoppedClock()

  const answers = await withPatience(async () => {
    await counted(async () => void (clock.now += 5_000))
    return Promise.allSettled([rows.read(), withPatience(() => rows.read())])
  })

  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
})

test('within a transaction the keys are read in it, whoever else waits for them', async () => {
  const { db } = watched()
  const rows = createKeyRows(db, () => true)
  const [begun, asked] = [gate(), gate()]

  // The embedded database has one connection: who asks from outside waits until the transaction has ended.
  const inside = inAuthTransaction(db, service.services.auth.options, async () => {
    begun.open()
    await asked.opened
    return (await rows.read()).size
  })
  await begun.opened
  const outside = rows.read()
  asked.open()

  expect(await inside).toBe(1)
  expect((await outside).size).toBe(1)
})

test.each([
  ['EdDSA', 'EdDSA'],
  [null, 'EdDSA'],
  ['HS256', undefined],
  ['RS256', undefined],
])('a public key of Ed25519 with %j for its algorithm checks signatures of %s', async (alg, expected) => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const key = {
    id: randomUUID(),
    public_key: JSON.stringify(publicKey.export({ format: 'jwk' })),
    private_key: 'none',
    alg,
  }
  await service.db
    .insertInto('jwks')
    .values({ ...key, created_at: new Date() })
    .execute()
  const rows = createKeyRows(service.db, () => true)

  expect((await rows.read()).get(key.id)?.verification?.algorithm).toBe(expected)
})
