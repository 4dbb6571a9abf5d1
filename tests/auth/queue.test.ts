import { afterEach, expect, test, vi } from 'vitest'
import { createQueue, type Queue } from '../../src/auth/hashing/queue.ts'

afterEach(() => vi.restoreAllMocks())

/** A queue, and work that takes as long as a test says, by a clock that else stands still. */
function timed(options: Parameters<typeof createQueue>[0]) {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const queue = createQueue(options)
  const take = (ms: number) =>
    queue.run(() => {
      now += ms
      return Promise.resolve()
    })
  const hold = () => {
    let end = () => {}
    const held = new Promise<void>((resolve) => {
      end = resolve
    })
    return { end: () => end(), done: queue.run(() => held) }
  }
  return { queue, take, hold }
}

test('who closes it waits for all that runs', async () => {
  const { queue, hold } = timed({ size: 2, maxWaitMs: 1_000, assumedMs: 1 })
  const [first, second] = [hold(), hold()]
  let isClosed = false
  const closing = queue.close().then(() => (isClosed = true))

  first.end()
  await first.done
  await new Promise(setImmediate)
  expect(isClosed).toBe(false)
  second.end()
  expect(await closing).toBe(true)
})

test.each([
  ['by half what was slower', 100, 900, 2],
  ['by a tenth what was faster', 1_000, 0, 1],
])(
  'its work is believed to take longer or shorter %s, and so many wait',
  async (_what, assumedMs, tookMs, expected) => {
    const { queue, take, hold } = timed({ size: 1, maxWaitMs: 1_000, assumedMs })
    await take(tookMs)
    const running = hold()

    const waiting: Promise<unknown>[] = []
    while (waiting.length < 20 && hasRoom(queue)) waiting.push(hold().done.catch(() => {}))

    expect(waiting).toHaveLength(expected)
    const closing = queue.close()
    running.end()
    await Promise.all([closing, ...waiting])
  },
)

function hasRoom({ assertRoom }: Queue): boolean {
  try {
    assertRoom()
    return true
  } catch {
    return false
  }
}
