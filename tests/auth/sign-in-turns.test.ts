import { setImmediate as settled } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createSignInTurns } from '../../src/auth/hashing/sign-in-turns.ts'

const overloaded = expect.objectContaining({
  slug: 'overloaded',
  headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
})

/** Turns of a lane of one thread, and what is done in them, which ends when a test wants it. */
function heldTurns(options: { maxWaitMs?: number; assertRoom?: () => void } = {}) {
  const { maxWaitMs = 60_000, assertRoom = () => undefined } = options
  const turns = createSignInTurns({ size: 1, lane: { assertRoom }, maxWaitMs })
  const ends = new Map<number, () => void>()
  onTestFinished(async () => {
    const closed = turns.close()
    for (const end of ends.values()) end()
    await closed
  })
  const hold = (i: number) => new Promise<void>((resolve) => ends.set(i, resolve))
  const request = () => new Request('http://localhost/')
  return {
    turns,
    begun: () => [...ends.keys()],
    end: (i: number) => ends.get(i)?.(),
    /** One that comes to no endpoint before it ends. */
    handed: (i: number) => turns.hand(request(), () => hold(i).then(() => new Response(String(i)))),
    /** One that goes to its endpoint at once. */
    signedIn(i: number) {
      const its = request()
      return turns.hand(its, () => turns.admit(its, () => hold(i)).then(() => new Response(String(i))))
    },
  }
}

const seven = [0, 1, 2, 3, 4, 5, 6]

test('two at a time are handed over, the next when one of them has its response', async () => {
  const { handed, begun, end } = heldTurns()
  const responses = seven.map(handed)
  await settled()
  expect(begun()).toEqual([0, 1])

  end(1)
  expect(await (await responses[1])?.text()).toBe('1')
  await settled()
  expect(begun()).toEqual([0, 1, 2])
  for (const response of responses.slice(3)) response.catch(() => undefined)
})

test('whose endpoint is reached lets the next one in, until enough wait for their passwords', async () => {
  const { signedIn, begun, end, turns } = heldTurns()
  const outcomes = Promise.allSettled(seven.map(signedIn))
  await settled()
  expect(begun()).toEqual([0, 1, 2, 3, 4])

  end(0)
  await settled()
  expect(begun()).toEqual([0, 1, 2, 3, 4, 5])

  const closed = turns.close()
  for (const i of seven) end(i)
  await closed
  expect((await outcomes).map(({ status }) => status)).toEqual([...seven.slice(1).map(() => 'fulfilled'), 'rejected'])
})

test('a sign-in that fails on its way lets the next one in', async () => {
  const { turns, handed, begun } = heldTurns()
  const failing = [0, 1].map(() => turns.hand(new Request('http://localhost/'), () => Promise.reject(new Error('no'))))
  const outcome = Promise.allSettled(failing)
  const next = handed(2)
  next.catch(() => undefined)

  expect(await outcome).toMatchObject([{ reason: { message: 'no' } }, { reason: { message: 'no' } }])
  await settled()
  expect(begun()).toEqual([2])
})

test('a sign-in that comes by no request takes its turn too', async () => {
  const { turns } = heldTurns()

  expect(await turns.admit(undefined, () => Promise.resolve('done'))).toBe('done')
})

function refusalOf({ assertRoom }: { assertRoom: () => void }): unknown {
  try {
    return assertRoom()
  } catch (error) {
    return error
  }
}

test('there is no room when those who are still to be handed over will fill it', async () => {
  // A hundred milliseconds each are assumed: ten to a second.
  const { turns, handed } = heldTurns({ maxWaitMs: 1_000 })
  const outcomes: Promise<unknown>[] = []
  while (refusalOf(turns) === undefined && outcomes.length < 100) outcomes.push(handed(outcomes.length))
  for (const outcome of outcomes) outcome.catch(() => undefined)

  expect(outcomes.length).toBeGreaterThan(5)
  expect(outcomes.length).toBeLessThan(20)
  expect(refusalOf(turns)).toEqual(overloaded)
})

test('there is no room when the lane has none, or when the turns are closed', async () => {
  const full = new Error('full')
  const { turns } = heldTurns({
    assertRoom: () => {
      throw full
    },
  })
  expect(refusalOf(turns)).toBe(full)

  const other = heldTurns()
  expect(refusalOf(other.turns)).toBeUndefined()
  await other.turns.close()
  expect(refusalOf(other.turns)).toEqual(overloaded)
  await expect(other.handed(0)).rejects.toEqual(overloaded)
  await expect(other.turns.admit(undefined, () => Promise.resolve())).rejects.toEqual(overloaded)
})
