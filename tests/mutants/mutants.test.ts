import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { explanations } from './explained.ts'
import { readGuards } from './guards.ts'
import { keyOf, type Mutant, mutantsOf, mutationsOf } from './mutations.ts'
import { createNearest, numberReaches, type Reach, readReaches, within, withMutation, withSwitches } from './reach.ts'

const wordsOf = (text: string) => mutationsOf('a.ts', text).map(({ words }) => words)

test('a condition always or never holds, or a part of one does not count', () => {
  expect(wordsOf('if (a && !b(c)) throw new Error("no")')).toEqual(['a && !b(c) → false', 'a → true', '!b(c) → true'])
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
  expect(wordsOf("x = { ...requires('users:ban'), path: '/users/{id}/ban' }")).toEqual([
    "requires('users:ban') → requires('account:read')",
    "requires('users:ban') → requires('users:ban', { orSelf: true })",
  ])
  expect(wordsOf("x = { ...requires('audit:read'), path: '/audit-events' }")).toEqual([
    "requires('audit:read') → requires('account:read')",
  ])
  expect(wordsOf("x = [requires('account:read', { orSelf: true })]")).toEqual([
    "requires('account:read', { orSelf: true }) → requires('account:read')",
  ])
})

test('equal mutants of a file have names of their own', () => {
  const mutants = mutantsOf([{ name: 'a.ts', text: 'f(); f()' }])
  expect(mutants.map(({ id, words }) => [id, words])).toEqual([
    [0, 'f() → nothing'],
    [1, 'f() → nothing (2)'],
  ])
})

test('what is explained is still there', () => {
  const keys = new Set(mutantsOf(readGuards()).map(keyOf))
  expect([...explanations.keys()].filter((key) => !keys.has(key))).toEqual([])
})

test('what is no source is refused', () => {
  expect(() => mutationsOf('a.ts', 'if (')).toThrow(SyntaxError)
})

test('switches change nothing but what is noted, until one is on, nested ones too', () => {
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
  expect(run(withSwitches(text, mutants))).toEqual(run(text))
  expect([...reached].toSorted((a, b) => a - b)).toEqual(mutants.map(({ id }) => id))
  for (const mutant of mutants) {
    Object.assign(globalThis, { mutant: mutant.id })
    expect(run(withSwitches(text, mutants))).toEqual(run(withMutation(text, mutant)))
  }
  Object.assign(globalThis, { mutant: undefined })
})

test('a switch of a rule or of a permission is asked with each request', () => {
  const text = `{
    const requires = (name) => ({ name, middleware: () => name })
    const first = () => 'first'
    const all = { rules: [first], ...requires('users:ban') }
    return () => [all.rules[0](), all.middleware(), all.name]
  }`
  const mutants = mutantsOf([{ name: 'a.ts', text: `x = () => ${text}` }])
  const source = withSwitches(`x = () => ${text}`, mutants)
  // oxlint-disable-next-line no-eval -- The text is ours.
  const ask = ((0, eval)(source) as () => () => unknown)()
  const answers = [undefined, ...mutants].map((mutant) => {
    Object.assign(globalThis, { mutant: mutant?.id })
    return [mutant?.words, ask()]
  })
  Object.assign(globalThis, { mutant: undefined })

  expect(answers).toEqual([
    [undefined, ['first', 'users:ban', 'users:ban']],
    ['first → nothing', [undefined, 'users:ban', 'users:ban']],
    ["requires('users:ban') → requires('account:read')", ['first', 'account:read', 'users:ban']],
  ])
})

test('a mutation stands where the original stood', () => {
  const text = 'if (a < b) f()'
  expect(mutationsOf('a.ts', text).map((mutation) => withMutation(text, mutation))).toEqual([
    'if (true) f()',
    'if (false) f()',
    'if (a <= b) f()',
    'if (a < b) void 0',
  ])
})

test('what was reached is known by name, whatever has changed since', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-reached-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  numberReaches(folder, mutantsOf([{ name: 'a.ts', text: 'f(); g(); h()' }]))
  writeFileSync(join(folder, 'x'), JSON.stringify({ file: 'x', ms: 1, ids: [0, 2] }))

  const reaches = readReaches(folder, mutantsOf([{ name: 'a.ts', text: 'e(); h(); g()' }]))

  expect(reaches).toEqual([{ file: 'x', ms: 1, ids: [1] }])
})

test('what was reached stays while the numbers of mutants do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-reached-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const mutantsIn = (text: string) => mutantsOf([{ name: 'a.ts', text }])
  numberReaches(folder, mutantsIn('f(); g()'))
  writeFileSync(join(folder, 'x'), JSON.stringify({ file: 'x', ms: 1, ids: [0] }))

  numberReaches(folder, mutantsIn('f();  g()'))
  expect(readReaches(folder, mutantsIn('f(); g()'))).toHaveLength(1)
  numberReaches(folder, mutantsIn('e(); f(); g()'))
  expect(readReaches(folder, mutantsIn('f(); g()'))).toEqual([])
})

test('the tests nearest to a mutant are about its file, run quickly, and take no longer than asked', () => {
  const mutants = [
    ...mutantsOf([{ name: 'src/users/bans.routes.ts', text: 'f(); g()' }]),
    { ...mutantsOf([{ name: 'src/mail/mailer.ts', text: 'f()' }])[0], id: 2 },
  ] as Mutant[]
  const [shared, own] = mutants as [Mutant, Mutant]
  const reach = (file: string, ms: number, ids: number[]): Reach => ({ file, ms, ids })
  const nearest = createNearest(mutants, [
    reach('tests/mail/mail.test.ts', 1_000, [0, 2]),
    reach('tests/auth/slow.test.ts', 50_000, [0, 1]),
    reach('tests/auth/quick.test.ts', 1_000, [0, 1, 2]),
    reach('tests/process/main.test.ts', 1_000, []),
    reach('tests/users/bans.test.ts', 1_000, [0]),
  ])
  const [bans, quick] = ['tests/users/bans.test.ts', 'tests/auth/quick.test.ts']
  expect(within(15_000, nearest(shared))).toEqual([bans, quick])
  expect(within(100_000, nearest(own))).toEqual([quick, 'tests/auth/slow.test.ts'])
  expect(within(10, nearest(own))).toEqual([quick])
  expect(within(10, nearest({ ...own, id: 9 }))).toEqual([bans])
  expect(nearest({ ...own, id: 9, file: 'src/app.ts' })).toEqual([])
})
