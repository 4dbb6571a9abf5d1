import { expect, onTestFinished, test, vi } from 'vitest'
import { createAuthorityCache, type Question } from '../../src/auth/authority/cache.ts'
import { counted, waited, withPatience } from '../../src/db/patience.ts'

interface Row {
  user: string
  role: string
}

// By estimate: an answer with one tag and short texts.
const bytesEach = 2_530

/** A cache, and reads that answer when the test says so. */
function arrange(max = 100) {
  // Of what is kept here, so many have room.
  const cache = createAuthorityCache(max * bytesEach)
  const reads: { resolve: (row: Row | undefined) => void; reject: (reason: Error) => void }[] = []
  /** Asks for `key`; the answer depends on its user, which is known before it is read unless it is looked up by a cookie. */
  const read = (key: string, user = key, knowsTags = true, more: Partial<Question<Row>> = {}) =>
    cache.read<Row>(key, {
      read: () => new Promise((resolve, reject) => reads.push({ resolve, reject })),
      keepMs: (row) => (row ? Infinity : 0),
      tagsOf: (row) => (knowsTags ? [`user:${user}`] : row ? [`user:${row.user}`] : []),
      tagsBefore: knowsTags ? [`user:${user}`] : undefined,
      ...more,
    })
  const get = (key: string) => cache.get<Row>(key)?.role
  /** Lets the read of that number end. */
  const answer = (n: number, row: Row | undefined) => reads[n]?.resolve(row)
  const keep = async (key: string, user = key, role = 'user') => {
    const reading = read(key, user)
    answer(reads.length - 1, { user, role })
    await reading
  }
  return { cache, reads, read, get, answer, keep }
}

const ada = (role: string) => ({ user: 'ada', role })

test('what was read is kept', async () => {
  const { cache, keep, get } = arrange()
  expect(get('ada')).toBeUndefined()
  await keep('ada')
  expect(get('ada')).toBe('user')
  expect(cache.size()).toBe(1)
})

test('calls at once share one read', async () => {
  const { read, answer, reads } = arrange()
  const answers = [read('ada'), read('ada'), read('ada')]
  expect(reads).toHaveLength(1)
  answer(0, ada('user'))
  expect(await Promise.all(answers)).toEqual([ada('user'), ada('user'), ada('user')])

  const later = read('bob')
  expect(reads).toHaveLength(2)
  answer(1, undefined)
  expect(await later).toBeUndefined()
})

test('who has no time left fails alone, and not the others who wait for the read that they began', async () => {
  const { read } = arrange()
  const ask = () => read('ada', 'ada', true, { read: () => waited(() => Promise.resolve(ada('user'))) })
  const now = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => now.mockRestore())

  const answers = await withPatience(async () => {
    await counted(async () => void now.mockReturnValue(5_000))
    return Promise.allSettled([ask(), withPatience(ask)])
  })

  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
})

test.each(['drop', 'clear'] as const)(
  'a read that %s outdates is answered, but neither kept nor shared',
  async (how) => {
    const { cache, read, get, answer, reads } = arrange()
    const before = read('ada')
    if (how === 'drop') cache.drop('user:ada')
    else cache.clear()
    const after = read('ada')
    expect(reads).toHaveLength(2)

    answer(0, ada('admin'))
    expect(await before).toEqual(ada('admin'))
    expect(get('ada')).toBeUndefined()
    // The end of the one outdated is not taken for that of the other.
    const along = read('ada')
    expect(reads).toHaveLength(2)

    answer(1, ada('user'))
    expect(await Promise.all([after, along])).toEqual([ada('user'), ada('user')])
    expect(get('ada')).toBe('user')
  },
)

test('an outdated read that ends last does not replace what is newer', async () => {
  const { cache, read, get, answer } = arrange()
  const before = read('ada')
  cache.drop('user:ada')
  const after = read('ada')
  answer(1, ada('user'))
  await after
  answer(0, ada('admin'))
  await before
  expect(get('ada')).toBe('user')
})

test('a read of somebody else is not outdated', async () => {
  const { cache, read, get, answer } = arrange()
  const reading = read('ada')
  cache.drop('user:bob')
  answer(0, ada('user'))
  await reading
  expect(get('ada')).toBe('user')
})

test('a read whose user is not known yet is outdated by every change', async () => {
  const { cache, read, get, answer, reads } = arrange()
  const before = read('cookie', '', false)
  cache.drop('user:bob')
  void read('cookie', '', false)
  expect(reads).toHaveLength(2)
  answer(0, ada('user'))
  await before
  expect(get('cookie')).toBeUndefined()
})

test('what was looked up without knowing the user is dropped with the user, and with nobody else', async () => {
  const { cache, read, get, answer } = arrange()
  const reading = read('cookie', '', false)
  answer(0, ada('user'))
  await reading
  cache.drop('user:bob')
  expect(get('cookie')).toBe('user')
  cache.drop('user:ada')
  expect(get('cookie')).toBeUndefined()
})

test('all that depends on a tag is dropped, under however many tags and keys it is', async () => {
  const { cache, read, get, answer, reads } = arrange()
  for (const key of ['token-1', 'token-2']) {
    const reading = read(key, 'ada', true, { tagsOf: () => ['user:ada', 'client:app', `token:${key}`] })
    answer(reads.length - 1, ada('user'))
    await reading
  }
  cache.drop('token:token-1')
  expect([get('token-1'), get('token-2')]).toEqual([undefined, 'user'])
  cache.drop('client:app')
  expect(cache.size()).toBe(0)
})

test('clear forgets all', async () => {
  const { cache, keep } = arrange()
  await keep('ada')
  await keep('bob')
  cache.clear()
  expect(cache.size()).toBe(0)
})

test('what there is not, and what is not worth it, is not kept', async () => {
  const { cache, read, answer } = arrange()
  const nobody = read('nobody')
  answer(0, undefined)
  expect(await nobody).toBeUndefined()
  const worthless = read('ada', 'ada', true, { keepMs: () => 0 })
  answer(1, ada('user'))
  expect(await worthless).toEqual(ada('user'))
  expect(cache.size()).toBe(0)
})

test('that there is nothing is kept for as long as it may be', async () => {
  const { cache, read, answer } = arrange()
  const reading = read('nobody', 'nobody', true, { keepMs: () => 50 })
  answer(0, undefined)
  expect(await reading).toBeUndefined()
  expect(cache.get('nobody')).toBeNull()
  await expect.poll(() => cache.get('nobody')).toBeUndefined()
})

test('what takes more than all the room is not kept, and leaves no tag behind', async () => {
  const { cache, keep, get } = arrange(1)
  await keep('ada', 'ada', 'x'.repeat(2_000))
  expect([get('ada'), cache.size(), cache.tags()]).toEqual([undefined, 0, 0])
})

test('an error is shared by those who wait for it, and not kept', async () => {
  const { read, get, answer, reads } = arrange()
  const [first, second] = [read('ada'), read('ada')]
  reads[0]?.reject(new Error('no database'))
  await expect(first).rejects.toThrow('no database')
  await expect(second).rejects.toThrow('no database')
  expect(get('ada')).toBeUndefined()

  const again = read('ada')
  answer(1, ada('user'))
  expect(await again).toEqual(ada('user'))
})

test('a read that throws before it begins is not shared with those who come later', async () => {
  const { read, answer } = arrange()
  const fail = () => {
    throw new Error('at once')
  }
  await expect(read('ada', 'ada', true, { read: fail })).rejects.toThrow('at once')
  const again = read('ada')
  answer(0, ada('user'))
  expect(await again).toEqual(ada('user'))
})

test('the bound holds, the least recently used goes first', async () => {
  const { cache, keep, get } = arrange(3)
  for (const user of ['a', 'b', 'c']) await keep(user)
  get('a')
  await keep('d')
  expect(cache.size()).toBe(3)
  expect(['a', 'b', 'c', 'd'].map(get)).toEqual(['user', undefined, 'user', 'user'])
})

test('of what is dropped, evicted and replaced no tag stays', async () => {
  const { cache, keep } = arrange(3)
  for (const user of ['a', 'b', 'c', 'd']) await keep(user)
  expect(cache.tags()).toBe(3)
  await keep('d', 'e')
  expect(cache.tags()).toBe(3)
  cache.drop('user:e')
  expect(cache.tags()).toBe(2)
  cache.clear()
  expect(cache.tags()).toBe(0)
})

test('what was evicted leaves no tag behind that would drop its successor under the same key', async () => {
  const { cache, keep, get } = arrange(1)
  await keep('key', 'ada')
  await keep('other', 'bob')
  await keep('key', 'eve')
  cache.drop('user:ada')
  cache.drop('user:bob')
  expect(get('key')).toBe('user')
  cache.drop('user:eve')
  expect(get('key')).toBeUndefined()
})

test('what is replaced takes its tags along, and what replaces it keeps its own', async () => {
  const { cache, keep, get } = arrange()
  await keep('key', 'ada', 'admin')
  await keep('key', 'bob', 'user')
  expect(cache.size()).toBe(1)
  cache.drop('user:ada')
  expect(get('key')).toBe('user')
  cache.drop('user:bob')
  expect(get('key')).toBeUndefined()

  await keep('key', 'ada', 'admin')
  await keep('key', 'ada', 'user')
  cache.drop('user:ada')
  expect(get('key')).toBeUndefined()
})
