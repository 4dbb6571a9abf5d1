import { expect, test } from 'vitest'
import { jsonFault } from '../../src/http/json.ts'

const arrays = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

test.each([
  ['a plain object', '{"a":1,"b":"a"}'],
  ['as many levels as may be', arrays(32)],
  ['many arrays beside each other', `[${Array.from({ length: 40 }, () => '[]').join()}]`],
  ['many objects beside each other', `[${Array.from({ length: 40 }, () => '{}').join()}]`],
  ['one name in two objects', '[{"a":1},{"a":1}]'],
  ['one name in an object and in the one around it', '{"a":{"a":1}}'],
  ['one name twice among values', '{"a":["b","b"],"b":"b"}'],
  ['brackets in a string', `{"a":"${'['.repeat(40)}"}`],
  ['what is no JSON', '{"a":1,"a":2'],
])('%s is without fault', (_what, text) => {
  expect(jsonFault(text)).toBeUndefined()
})

test.each([
  ['a byte order mark', '\uFEFF{}', 'begins with a byte order mark'],
  ['a level too many', arrays(33), 'has more than 32 levels'],
  ['a level too many, of objects', `${'{"a":'.repeat(32)}[]${'}'.repeat(32)}`, 'has more than 32 levels'],
  ['a name twice', '{"a":1,"b":2,"a":3}', 'names a member twice'],
  ['a name twice, after an array', '{"a":[1],"a":3}', 'names a member twice'],
  ['a name twice, after an object', '{"a":{"b":1},"a":3}', 'names a member twice'],
  ['a name twice, after a value of that name', '{"b":"a","a":1,"a" :2}', 'names a member twice'],
])('%s is a fault', (_what, text, fault) => {
  expect(jsonFault(text)).toBe(fault)
})

test('a string may be allowed as a value, and not as the name of a member', () => {
  const fault = (text: string) => jsonFault(text, (string, isMember) => !(isMember && string === 'x'))

  expect([fault('{"a":"x"}'), fault('["x"]'), fault('"x"')]).toEqual([undefined, undefined, undefined])
  expect(fault('{"a":1,"x":2}')).toBe('holds what is not allowed')
})
