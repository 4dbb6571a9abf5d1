import { beforeEach, expect, test } from 'vitest'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import type { JwtAlgorithm } from '../../src/auth/keys/signature.ts'
import { createSigningKeys } from '../../src/auth/keys/signing-keys.ts'
import { startServiceForFile } from '../support/harness.ts'
import { attackerKey, insertKey } from '../support/tokens.ts'

// Which key signs, is published or made, to the millisecond, by a clock that stands still.

const { db } = await startServiceForFile()
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]
const now = Date.parse('2026-01-01T00:00:00Z')
const policy = { algorithm: 'ES256', rotationMs: 90 * dayMs, publishAheadMs: dayMs, graceMs: hourMs } as const

const keys = { ES256: attackerKey('', 'ES256'), EdDSA: attackerKey('', 'EdDSA') }

beforeEach(() => db.deleteFrom('jwks').execute())

/** The keys where there are these alone: of which id and algorithm, and when each begins and ends, in milliseconds from now. */
async function keysOf(...rows: [id: string, alg: keyof typeof keys, begins: number, ends: number | null][]) {
  for (const [id, alg, begins, ends] of rows) {
    const times = {
      created_at: new Date(now),
      active_at: new Date(now + begins),
      expires_at: ends === null ? null : new Date(now + ends),
    }
    await insertKey(db, { ...keys[alg], kid: id }, { alg, ...times })
  }
  return createSigningKeys(
    db,
    createKeyRows(db, () => true),
    policy,
    () => now,
  )
}

const es = 'ES256'
test.each<[string, Parameters<typeof keysOf>, string | undefined]>([
  ['the one of its time', [['a', es, -dayMs, dayMs]], 'a'],
  ['one that has no end', [['a', es, -dayMs, null]], 'a'],
  [
    'the later one once it has begun',
    [
      ['a', es, -dayMs, dayMs],
      ['b', es, 0, dayMs],
    ],
    'b',
  ],
  [
    'the earlier one until then',
    [
      ['a', es, -dayMs, dayMs],
      ['b', es, 1, dayMs],
    ],
    'a',
  ],
  [
    'the earlier one where the later one has ended',
    [
      ['a', es, -dayMs, dayMs],
      ['b', es, -hourMs, 0],
    ],
    'a',
  ],
  ['one that has ended, for a minute', [['a', es, -dayMs, -minuteMs + 1]], 'a'],
  ['none that ended a minute ago', [['a', es, -dayMs, -minuteMs]], undefined],
  [
    'one that is to begin, where there is no other',
    [
      ['a', es, hourMs, dayMs],
      ['b', es, 2 * hourMs, dayMs],
    ],
    'a',
  ],
  [
    'of two algorithms the configured one',
    [
      ['a', es, -dayMs, dayMs],
      ['b', 'EdDSA', -hourMs, dayMs],
    ],
    'a',
  ],
  [
    'of another algorithm the later one',
    [
      ['a', 'EdDSA', -dayMs, dayMs],
      ['b', 'EdDSA', -hourMs, dayMs],
    ],
    'b',
  ],
])('the key that signs is %s', async (_which, rows, id) => {
  const { current } = await keysOf(...rows)

  expect((await current())?.row.id).toBe(id)
})

test('the key that signs may be asked for by its algorithm', async () => {
  const { current } = await keysOf(['a', es, -dayMs, dayMs], ['b', 'EdDSA', -hourMs, dayMs])
  const idOf = async (algorithm: JwtAlgorithm) => (await current(algorithm))?.row.id

  expect([await idOf('ES256'), await idOf('EdDSA'), await idOf('RS256')]).toEqual(['a', 'b', 'b'])
})

test('a key is published until its grace is over, and one that is none not at all', async () => {
  const { published } = await keysOf(
    ['a', es, -dayMs, -hourMs],
    ['b', es, -dayMs, -hourMs + 1],
    ['c', es, dayMs, 2 * dayMs],
    ['d', es, dayMs, null],
  )
  await db.updateTable('jwks').set({ public_key: '{}' }).where('id', '=', 'd').execute()

  expect((await published()).keys.map(({ kid }) => kid)).toEqual(['b', 'c'])
})

test.each<[string, Parameters<typeof keysOf>, number | undefined]>([
  ['at once where there is none', [], 0],
  ['not where one signs for longer than it is published ahead', [['a', es, 0, dayMs + 1]], undefined],
  ['not where one has no end', [['a', es, 0, null]], undefined],
  ['from the end of the one that signs', [['a', es, 0, dayMs]], dayMs],
  [
    'from the end of the last one',
    [
      ['a', es, 0, 5],
      ['b', es, 5, 9],
    ],
    9,
  ],
  ['once it is known where one ends now', [['a', es, -dayMs, 0]], minuteMs],
  ['once it is known where one of another algorithm signs', [['a', 'EdDSA', -dayMs, dayMs]], minuteMs],
  ['once it is known where one ended less than a minute ago', [['a', es, -dayMs, -minuteMs + 1]], minuteMs],
  ['at once where none has signed for a minute', [['a', es, -dayMs, -minuteMs]], 0],
])('a key is made that signs %s', async (_when, rows, begins) => {
  const { maintain } = await keysOf(...rows)
  const ids = rows.map(([id]) => id)

  const publicKey = JSON.stringify(keys.ES256.publicKey.export({ format: 'jwk' }))
  await maintain(() => Promise.resolve({ publicKey, privateKey: '', alg: es }))

  const made = (await db.selectFrom('jwks').select(['id', 'active_at', 'expires_at']).execute()).filter(
    ({ id }) => !ids.includes(id),
  )
  const times = { active_at: new Date(now + (begins ?? 0)), expires_at: new Date(now + (begins ?? 0) + 90 * dayMs) }
  expect(made).toMatchObject(begins === undefined ? [] : [times])
})
