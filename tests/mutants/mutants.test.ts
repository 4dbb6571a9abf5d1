import { expect, test } from 'vitest'
import { mutantsOf, mutationsOf } from './mutations.ts'
import { nearest, type Reach, withMutation, withProbes } from './reach.ts'

const wordsOf = (text: string) => mutationsOf('a.ts', text).map(({ words }) => words)

test('a condition always or never holds, and each part of one does not count', () => {
  expect(wordsOf('if (a && !b(c)) throw new Error("no")')).toEqual([
    'a && !b(c) → true',
    'a && !b(c) → false',
    'a → true',
    '!b(c) → true',
  ])
  expect(wordsOf('const x = a || b || c')).toEqual(['c → false', 'a → false', 'b → false'])
  expect(wordsOf('const x = a ? 1 : 2')).toEqual(['a → true', 'a → false'])
  expect(wordsOf('const x = a ?? b')).toEqual([])
})

test('a bound is off by one, and a comparison holds in any case or none', () => {
  expect(wordsOf('const f = () => a <= b')).toEqual(['a <= b → a < b', 'a <= b → true', 'a <= b → false'])
  expect(wordsOf('for (let i = 0; i < n; i++) f(i)')).toEqual(['i < n → i <= n', 'f(i) → nothing'])
})

test('a call is left out, a rule is not asked, a permission is that of everybody', () => {
  expect(wordsOf('await assertMay(x)')).toEqual(['await assertMay(x) → nothing'])
  expect(wordsOf('guard(e, { rules: [first, second] })')).toEqual([
    'guard(e, { rules: [first, second] }) → nothing',
    'first → nothing',
    'second → nothing',
  ])
  expect(wordsOf("x = [requires('users:ban')]")).toEqual([
    "requires('users:ban') → requires('account:read')",
    "requires('users:ban') → requires('users:ban', { orSelf: true })",
  ])
  expect(wordsOf("x = [requires('account:read', { orSelf: true })]")).toEqual([
    "requires('account:read', { orSelf: true }) → requires('account:read')",
  ])
})

test('equal mutants of a file have names of their own', () => {
  const mutants = mutantsOf([{ name: 'a.ts', text: 'f(); f()' }])
  expect(mutants.map(({ id, mutation: { words } }) => [id, words])).toEqual([
    [0, 'f() → nothing'],
    [1, 'f() → nothing (2)'],
  ])
})

test('what is no source is refused', () => {
  expect(() => mutationsOf('a.ts', 'if (')).toThrow(SyntaxError)
})

test('probes change nothing but what is noted, nested ones too', () => {
  const text = `(a, b) => {
    const seen = []
    seen.push(a)
    if (b > 0) seen.push(b)
    if ((a > 1 && b < 2) || !b) return a === b ? "x" : seen
    return [a].includes(b) && !a
  }`
  const mutants = mutantsOf([{ name: 'a.ts', text }])
  const run = (source: string) => {
    // oxlint-disable-next-line no-eval -- The text is ours.
    const f = (0, eval)(source) as (a: number, b: number) => unknown
    return [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => f(a, b)))
  }
  const reached = new Set<number>()
  Object.assign(globalThis, { reached })
  expect(run(withProbes(text, mutants))).toEqual(run(text))
  expect([...reached].toSorted((a, b) => a - b)).toEqual(mutants.map(({ id }) => id))
})

test('a mutation stands where the original stood', () => {
  const text = "x = requires('users:ban')"
  expect(mutationsOf('a.ts', text).map((mutation) => withMutation(text, mutation))).toEqual([
    "x = requires('account:read')",
    "x = requires('users:ban', { orSelf: true })",
  ])
})

test('the tests nearest to a mutant reach it and little else, quickly, and take no longer than asked', () => {
  const reach = (file: string, ms: number, ids: number[]): Reach => ({ file, ms, ids })
  const reaches = [reach('all', 50_000, [1, 2, 3, 4]), reach('few', 1_000, [1, 2]), reach('other', 10, [3])]
  expect(nearest(1, reaches, 100_000)).toEqual(['few', 'all'])
  expect(nearest(1, reaches, 10_000)).toEqual(['few'])
  expect(nearest(4, reaches, 10)).toEqual(['all'])
  expect(nearest(9, reaches, 10)).toEqual([])
})
