import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { secretWeakness } from '../../src/secret.ts'

test.each([
  ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', undefined],
  ['kX9/3Qe7+ZrTfW1mB5uYc0LpN8sVhJgD2aR4oE6iUyA=', undefined],
  ['kk9/3Qe7+ZrTfW1mB5uYc0LpN8sVhJgD2aR4oE6iUyA=', undefined],
  ['kX9/3Qe7+ZrTfW1mB5uYc0LpN8sVhJ', 'must have at least 32 bytes'],
  ['this-is-my-very-secret-password-for-it', 'looks like an example'],
  ['0101010101010101010101010101010101010101', 'is too easy to guess'],
  ['wronghorsewronghorsewronghorsewronghorse', 'is too easy to guess'],
  ['<generate with openssl rand -base64 32>', 'looks like an example'],
  ['openssl rand -base64 32 openssl rand', 'looks like an example'],
  ['correct horse battery staple correct', 'looks like an example'],
])('R-40 of "%s" is said: %s', (secret, weakness) => {
  expect(secretWeakness(secret)).toBe(weakness)
})

test.each(['base64', 'base64url', 'hex'] as const)(
  'R-40 32 random bytes as %s are always strong enough',
  (encoding) => {
    const weak = Array.from({ length: 500 }, () => randomBytes(32).toString(encoding)).filter(secretWeakness)
    expect(weak).toEqual([])
  },
)
