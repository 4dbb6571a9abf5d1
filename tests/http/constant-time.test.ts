import { expect, test } from 'vitest'
import { isSameText } from '../../src/http/constant-time.ts'

test.each([
  ['secret', 'secret', true],
  ['', '', true],
  ['secreT', 'secret', false],
  ['secre', 'secret', false],
  ['secrets', 'secret', false],
  ['sécret', 'secret!', false],
])('whether %j is %j: %s', (given, expected, isSame) => {
  expect(isSameText(given, expected)).toBe(isSame)
})
