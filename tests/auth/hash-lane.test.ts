import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Worker } from 'node:worker_threads'
import { hashPassword, verifyPassword } from 'better-auth/crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createHashLane, type HashLane } from '../../src/auth/hashing/hash-lane.ts'
import { deriveKey } from '../../src/auth/hashing/scrypt.js'
import { createPasswords } from '../../src/auth/password.ts'
import type { ProblemError } from '../../src/http/problem.ts'
import { createLog } from '../../src/log.ts'

const log = createLog('silent')
const overloaded = expect.objectContaining({
  slug: 'overloaded',
  headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
})

type Limits = Partial<Parameters<typeof createHashLane>[0]>
const patient: Limits = { maxWaitMs: 60_000, maxRunMs: 60_000 }

/** A lane whose work begins and ends as a test wants it, and which waits for as long as that. */
const heldLane = (options: Limits = {}) => heldWith({ ...patient, ...options })

/** The same with the limits of the service, where no others are given. */
function heldWith(options: Limits) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey hashing '))
  const module = new URL('../support/standins/held-hash.js', import.meta.url)
  const lane = createHashLane({ size: 1, log, module, ...options })
  const put = (name: string) => writeFileSync(join(folder, name), '')
  onTestFinished(async () => {
    put('go')
    await lane.close()
    rmSync(folder, { recursive: true })
  })
  return {
    lane,
    put,
    derive: (salt: string) => lane.deriveKey(folder, salt),
    began: () => readFileSync(join(folder, 'began'), 'utf8').split('\n').slice(0, -1),
  }
}

test.each([
  ['plain', 'correct horse battery', 'correct horse battery'],
  ['composed and decomposed', 'cr\u00e8me br\u00fbl\u00e9e', 'cre\u0300me bru\u0302le\u0301e'],
  ['with a ligature and full-width figures', 'of\ufb01ce \uff11\uff12\uff13\uff14', 'office 1234'],
  ['of other planes', '🔑🗝️🔐🔒 κλειδί', '🔑🗝️🔐🔒 κλειδί'],
])('a password, %s, is hashed as Better-Auth hashes it', async (_what, password, sameAgain) => {
  const lane = createHashLane({ size: 1, log })
  onTestFinished(() => lane.close())
  const { hash, verify } = createPasswords(lane)
  const [theirs, ours] = [await hashPassword(password), await hash(password)]
  const [salt = '', key] = theirs.split(':')

  expect(ours).toMatch(/^[0-9a-f]{32}:[0-9a-f]{128}$/)
  expect(await verify({ hash: theirs, password: sameAgain })).toBe(true)
  expect(await verifyPassword({ hash: ours, password: sameAgain })).toBe(true)
  expect(await verify({ hash: theirs, password: `${password}.` })).toBe(false)
  expect(await verifyPassword({ hash: ours, password: `${password}.` })).toBe(false)
  expect(deriveKey({ password: sameAgain, salt })).toBe(key)
})

test('what is stored and no hash is an error, not a wrong password', async () => {
  const lane = createHashLane({ size: 1, log })
  onTestFinished(() => lane.close())

  await expect(createPasswords(lane).verify({ hash: 'plain', password: 'plain' })).rejects.toThrow('stored')
})

test('passwords take their turns in the order in which they came', async () => {
  const { derive, put, began } = heldLane()
  const all = ['a', 'b', 'c', 'd'].map(derive)
  put('go')

  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd'])
  expect(began()).toEqual(['a', 'b', 'c', 'd'])
})

test('as many are hashed at a time as the lane is wide', async () => {
  const { derive, put, began } = heldLane({ size: 2 })
  const all = ['a', 'b', 'c'].map(derive)

  await vi.waitFor(() => expect(began().toSorted()).toEqual(['a', 'b']), 20_000)
  put('go')
  await Promise.all(all)
  expect(began().at(-1)).toBe('c')
})

test('one that waits longer than it may is refused, and never begun', async () => {
  const { derive, put, began } = heldLane({ maxWaitMs: 200 })
  const first = derive('first')

  await expect(derive('second')).rejects.toEqual(overloaded)
  put('go')
  expect(await first).toBe('first')
  expect(await derive('third')).toBe('third')
  expect(began()).toEqual(['first', 'third'])
})

test('one that would have to wait too long is refused at once, while all others wait on', async () => {
  // A hundred milliseconds each are assumed: ten to a second.
  const { derive, lane, put } = heldLane({ maxWaitMs: 60_000 })
  let settled = 0
  const all = Array.from({ length: 700 }, async (_, i) => {
    try {
      return await derive(String(i))
    } finally {
      settled++
    }
  })
  const outcomes = Promise.allSettled(all)
  await new Promise((resolve) => setImmediate(resolve))
  expect(settled).toBe(99)

  const closed = lane.close()
  put('go')
  await closed
  const [first, ...others] = await outcomes
  expect(first).toEqual({ status: 'fulfilled', value: '0' })
  expect(others).toEqual(others.map(() => ({ status: 'rejected', reason: overloaded })))
})

function refusalOf({ assertRoom }: HashLane): unknown {
  try {
    return assertRoom()
  } catch (error) {
    return error
  }
}

test('who is refused is told to come back once there is time, and not all at the same time', async () => {
  // A hundred milliseconds each are assumed.
  const { derive, put } = heldLane({ maxWaitMs: 8_000 })
  const all = Promise.allSettled(Array.from({ length: 200 }, (_, i) => derive(String(i))))
  const refusals = await Promise.all(
    Array.from({ length: 100 }, () =>
      derive('late').catch((error: unknown) => Number((error as ProblemError).headers['retry-after'])),
    ),
  )
  expect(Math.min(...refusals.map(Number))).toBeGreaterThanOrEqual(8)
  expect(Math.max(...refusals.map(Number))).toBeLessThanOrEqual(17)
  expect(new Set(refusals).size).toBeGreaterThan(3)
  put('go')
  await all
})

test('there is room until there is no time, and none once the lane is closed', async () => {
  const { lane, derive, put } = heldLane({ maxWaitMs: 300 })
  expect(refusalOf(lane)).toBeUndefined()
  const all = Promise.allSettled(['a', 'b', 'c', 'd'].map(derive))
  expect(refusalOf(lane)).toEqual(overloaded)
  put('go')
  await all
  expect(refusalOf(lane)).toBeUndefined()
  await lane.close()
  expect(refusalOf(lane)).toEqual(overloaded)
  await expect(derive('e')).rejects.toEqual(overloaded)
})

test('a thread that has nothing to do ends', async () => {
  const threads: Worker[] = []
  process.on('worker', (thread) => threads.push(thread))
  onTestFinished(() => void process.removeAllListeners('worker'))
  const { derive, put } = heldLane({ idleMs: 50 })
  put('go')
  await derive('a')

  await vi.waitFor(() => expect(threads.map(({ threadId }) => threadId)).toEqual([-1]), 20_000)
  expect(await derive('b')).toBe('b')
})

test('R-36 a thread that dies is replaced, and what it did is done again', async () => {
  const { derive, put, began } = heldLane()
  put('dies')
  put('go')

  expect(await derive('a')).toBe('a')
  expect(began()).toEqual(['a', 'a'])
})

test('R-36 a thread that dies while it has nothing to do is told, and missed by nobody', async () => {
  const threads: Worker[] = []
  process.on('worker', (thread) => threads.push(thread))
  onTestFinished(() => void process.removeAllListeners('worker'))
  const lines: string[] = []
  const destination = new Writable({ write: (line: Buffer, _, done) => done(void lines.push(line.toString())) })
  const { derive, put } = heldLane({ log: createLog('info', destination) })
  put('go')
  await derive('a')

  threads[0]?.emit('error', new Error('out of memory'))

  expect(lines).toEqual([expect.stringContaining('"a hashing thread died"')])
  expect(await derive('b')).toBe('b')
})

test('R-36 what two threads die of is refused; the next one is none the worse', async () => {
  const { derive, put, began } = heldLane()
  put('mortal')
  await expect(derive('a')).rejects.toEqual(overloaded)
  expect(began()).toEqual(['a', 'a'])
})

test('R-36 a thread that comes to no end is replaced', async () => {
  const lines: string[] = []
  const destination = new Writable({ write: (line: Buffer, _, done) => done(void lines.push(line.toString())) })
  const { derive, put, began } = heldLane({ maxRunMs: 1_500, log: createLog('info', destination) })
  await expect(derive('a')).rejects.toEqual(overloaded)
  expect(lines).toEqual([expect.stringContaining('"a hashing thread took too long, trying again"')])
  put('go')

  expect(await derive('b')).toBe('b')
  expect(began().filter((salt) => salt === 'a')).not.toHaveLength(0)
})

test('R-36 while every thread hangs, who is in turn is refused in five seconds, and so is who waits', async () => {
  const { derive, put } = heldWith({})
  const askedAt = performance.now()
  const refusedAfter = ['a', 'b', 'c'].map(async (salt) => {
    await expect(derive(salt)).rejects.toEqual(overloaded)
    return performance.now() - askedAt
  })

  // Two seconds more for a machine that is busy.
  for (const ms of await Promise.all(refusedAfter)) expect(ms).toBeLessThan(7_000)
  put('go')
  expect(await derive('d')).toBe('d')
})
