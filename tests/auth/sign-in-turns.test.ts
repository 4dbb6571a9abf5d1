import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createSignInTurns } from '../../src/auth/hashing/sign-in-turns.ts'

const overloaded = expect.objectContaining({
  slug: 'overloaded',
  headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
})

/** Turns of a lane of one thread, and work that ends when a test wants it. */
function heldTurns({ maxWaitMs = 60_000, assertRoom = () => {} } = {}) {
  const turns = createSignInTurns({ size: 1, lane: { assertRoom }, maxWaitMs })
  const ends = new Map<number, () => void>()
  const end = (i: number) => ends.get(i)?.()
  onTestFinished(async () => {
    const closed = turns.close()
    for (const i of ends.keys()) end(i)
    await closed
  })
  return {
    ...turns,
    end,
    admitted: () => [...ends.keys()],
    hold: (i: number) => turns.admit(() => new Promise<void>((resolve) => ends.set(i, resolve))),
  }
}

test('one begins in each turn of the event loop, in the order in which they came', async () => {
  const { begin } = heldTurns()
  const begun: number[] = []
  const all = [0, 1, 2, 3].map(async (i) => {
    await begin()
    begun.push(i)
  })
  const counts: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    counts.push(begun.length)
    await nextTurn()
  }
  await Promise.all(all)

  expect(begun).toEqual([0, 1, 2, 3])
  const steps = counts.slice(1).map((count, i) => count - (counts[i] ?? 0))
  expect(Math.max(...steps)).toBe(1)
})

test('however many have begun and are limited, or hang, the next one begins', async () => {
  const { begin } = heldTurns({ maxWaitMs: 1_000 })

  await expect(Promise.all(Array.from({ length: 500 }, begin))).resolves.toHaveLength(500)
})

test('a few more than there are threads are admitted, the others in their turn or never', async () => {
  const { hold, admitted, end, close } = heldTurns()
  const all = [0, 1, 2, 3, 4, 5, 6].map(hold)
  const outcomes = Promise.allSettled(all)
  await nextTurn()
  expect(admitted()).toEqual([0, 1, 2, 3, 4])

  end(0)
  await all[0]
  await nextTurn()
  expect(admitted()).toEqual([0, 1, 2, 3, 4, 5])

  const closed = close()
  for (const i of admitted()) end(i)
  await closed
  const done = { status: 'fulfilled', value: undefined }
  expect(await outcomes).toEqual([...admitted().map(() => done), { status: 'rejected', reason: overloaded }])
})

test('whose password there is no time for does not begin, and is told so at once', async () => {
  // A hundred milliseconds each are assumed: ten to a second.
  const { begin, hold } = heldTurns({ maxWaitMs: 1_000 })
  const waiting = Array.from({ length: 30 }, (_, i) => hold(i))
  for (const one of waiting) one.catch(() => undefined)

  await expect(begin()).rejects.toEqual(overloaded)
})

test('where those before have taken all the time meanwhile, who waited to begin is refused', async () => {
  const { begin, hold } = heldTurns({ maxWaitMs: 1_000 })
  const [first, second] = [begin(), begin()]
  first.catch(() => undefined)
  const waiting = Array.from({ length: 30 }, (_, i) => hold(i))
  for (const one of waiting) one.catch(() => undefined)

  await expect(second).rejects.toEqual(overloaded)
})

test('nobody begins where the lane has no room, or when all is closed', async () => {
  const full = new Error('full')
  const { begin } = heldTurns({
    assertRoom: () => {
      throw full
    },
  })
  await expect(begin()).rejects.toBe(full)

  const closed = heldTurns()
  await closed.close()
  await expect(closed.begin()).rejects.toEqual(overloaded)
  await expect(closed.hold(0)).rejects.toEqual(overloaded)
})
