import { expect, test } from 'vitest'
import { isPrivate } from '../../src/http/loopback.ts'

test.each([
  ['https://example.com', true],
  ['http://localhost:3000', true],
  ['http://127.0.0.1', true],
  ['http://[::1]', true],
  ['http://example.com', false],
  ['http://localhost.example.com', false],
  ['ftp://localhost', false],
])('whether nobody can read what is sent to %s: %s', (url, is) => {
  expect(isPrivate(new URL(url))).toBe(is)
})
