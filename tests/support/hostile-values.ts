import fc from 'fast-check'
import type { Schema } from './document.ts'

/** What of a schema says where its edges are. */
export interface EdgedSchema extends Schema {
  type?: string | string[]
  enum?: unknown[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  maxItems?: number
}

const numbers = ['0', '-0', '-1', '1.5', `${2 ** 31}`, `${2 ** 53}`, '9223372036854775808', '-9223372036854775809']
const strange = ['1e308', '1e999', '-1e999', '1'.repeat(400), '01', '+1', '0x10', 'NaN', 'Infinity', '١']
const characters = [
  '\0',
  '\u0001',
  '\t',
  '\r\n',
  '\u001b[2J',
  '\u007f',
  '\u0085',
  '\u200b',
  '\u202e',
  '\ufeff',
  '\uffff',
]
const surrogates = ['\ud800', '\udfff', '\udfff\ud800', 'a\ud83d']
const words = ['', ' ', 'null', 'undefined', 'true', '[object Object]', '__proto__', 'constructor', 'me', '*', '%', '_']
const others = ['../../etc/passwd', "' or 1=1 --", '$1', '${7*7}', '{{7*7}}', '<script>', 'https://evil.example', '//x']

const fixedTexts = [
  ...numbers,
  ...strange,
  ...words,
  ...others,
  ...surrogates,
  ...characters.flatMap((character) => [character, `a${character}b`]),
]

/** Text that a parameter or a field should not be: words of machines, edges, control characters, and much of it. */
export function hostileText({ minLength = 0, maxLength = 255 }: EdgedSchema = {}): fc.Arbitrary<string> {
  const lengths = [minLength - 1, minLength, maxLength, maxLength + 1].filter(
    (length) => length >= 0 && length < 70_000,
  )
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...fixedTexts) },
    { weight: 2, arbitrary: fc.constantFrom(...lengths.map((length) => 'x'.repeat(length))) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom('🔑'.repeat(100), 'e\u0301'.repeat(200), 'x'.repeat(10_000)) },
  )
}

const deep = (open: string, close: string) => `${open.repeat(10_000)}1${close.repeat(10_000)}`
const types = [
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '[[1]]',
  '{"a":1}',
  '{"toString":1}',
  '{"__proto__":{"role":"admin"}}',
]
const huge = [deep('[', ']'), deep('{"a":', '}'), JSON.stringify('x'.repeat(1_048_576)), '9'.repeat(60_000)]

/** JSON text that a field should not be; not all of it is JSON. */
export function hostileJson(schema: EdgedSchema, good: unknown): fc.Arbitrary<string> {
  const text = hostileText(schema).map((value) => JSON.stringify(value))
  const { minimum = 0, maximum = 100, maxItems = 20 } = schema
  const edges = [minimum - 1, minimum, maximum, maximum + 1].map(String)
  const many = `[${Array.from({ length: maxItems + 1 }, () => JSON.stringify(good ?? 'x')).join()}]`
  const wrapped = [good, [good], [good, good], { $eq: good }, [[good]], many].map((value) =>
    typeof value === 'string' && value === many ? many : JSON.stringify(value ?? null),
  )
  return fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 4, arbitrary: fc.constantFrom(...types, ...wrapped) },
    { weight: 2, arbitrary: fc.constantFrom(...numbers, ...edges, ...strange) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.constantFrom(...huge) },
  )
}

/** Names of parameters and members that nobody knows, or that JavaScript knows. */
export const strangeName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('surprise', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '', '\0', '0'),
  fc.constantFrom('id', 'role', 'banned', 'userId', 'emailVerified', 'password', 'token', 'createdAt', '$ref', 'a[b]'),
  fc.string({ unit: 'binary', maxLength: 12 }),
)

/** Bytes in a query or a form that stand for no text. */
export const brokenEscape: fc.Arbitrary<string> = fc.constantFrom(
  '%',
  '%0',
  '%FF',
  '%C0%AF',
  '%ED%A0%80',
  '%00',
  '+',
  '%2B',
)
