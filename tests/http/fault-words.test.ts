import { expect, test } from 'vitest'
import { z } from 'zod'
import { wordsFor } from '../../src/http/fault-words.ts'

/** What is said of a value that a schema does not take. */
function wordsOf(schema: z.ZodType, value: unknown, isQuery = false): string[] {
  const { error } = schema.safeParse(value)
  return (error?.issues ?? []).map((issue) => wordsFor(issue, { isQuery }))
}

const soon = new Date('2030-01-01T00:00:00Z')

test.each<[string, z.ZodType, unknown, string]>([
  ['another type', z.string(), 1, 'is not of the type string'],
  ['nothing', z.string(), undefined, 'is missing'],
  ['a part of a number', z.int(), 1.5, 'is not a whole number'],
  ['another value', z.literal('a'), 'b', 'is not one of: a'],
  ['none of several values', z.enum(['a', 'b']), 'c', 'is not one of: a, b'],
  ['a long text', z.string().max(2), 'abc', 'must have at most 2 characters'],
  ['a short text', z.string().min(2), 'a', 'must have at least 2 characters'],
  ['an empty text', z.string().min(1), '', 'must have at least 1 character'],
  ['a text of another length', z.string().length(2), 'abc', 'must have exactly 2 characters'],
  ['a long list', z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 entry'],
  ['a short list', z.array(z.string()).min(2), ['a'], 'must have at least 2 entries'],
  ['a list of another length', z.array(z.string()).length(2), [], 'must have exactly 2 entries'],
  ['a long tuple', z.tuple([z.string()]), ['a', 'b'], 'must have at most 1 entry'],
  ['a big set', z.set(z.string()).max(1), new Set(['a', 'b']), 'must have at most 1 entry'],
  ['a big number', z.number().max(9), 10, 'must be at most 9'],
  ['a number at its bound', z.number().lt(9), 9, 'must be less than 9'],
  ['a small number', z.number().min(1), 0, 'must be at least 1'],
  ['no positive number', z.number().positive(), 0, 'must be more than 0'],
  ['a big integer', z.bigint().max(9n), 10n, 'must be at most 9'],
  ['a late date', z.date().max(soon), new Date('2031'), 'must be at most 2030-01-01T00:00:00.000Z'],
  ['an uneven number', z.number().multipleOf(5), 7, 'is not a multiple of 5'],
  ['no address', z.email(), 'a', 'is not of the format email'],
  ['no date', z.iso.datetime(), 'a', 'is not of the format datetime'],
  ['another beginning', z.string().startsWith('a'), 'b', 'is not of the form that is asked for'],
  ['another pattern', z.string().regex(/a/), 'b', 'is not of the form that is asked for'],
  ['no form of several', z.union([z.string(), z.int()]), true, 'is not allowed'],
  ['another kind', z.discriminatedUnion('a', [z.object({ a: z.literal('b') })]), { a: 'c' }, 'is not allowed'],
  ['a field too many', z.strictObject({}), { a: 1, b: 2 }, 'holds what is not known: a, b'],
  ['a key that is refused', z.record(z.string().max(1), z.int()), { ab: 1 }, 'has a key that is not allowed'],
  ['an entry that is refused', z.map(z.object(), z.int()), new Map([[{}, 'b']]), 'has an entry that is not allowed'],
  ['what is refused without words', z.string().refine(() => false), 'a', 'is not allowed'],
  ['what is refused in words', z.string().refine(() => false, 'is taken'), 'a', 'is taken'],
])('of %s is said in words of the wire', (_kind, schema, value, words) => {
  expect(wordsOf(schema, value)).toEqual([words])
})

test('a parameter that is a list was given more than once', () => {
  expect(wordsOf(z.string(), ['a', 'b'], true)).toEqual(['is given more than once'])
  expect(wordsOf(z.string(), { a: 'b' }, true)).toEqual(['is not of the type string'])
})
