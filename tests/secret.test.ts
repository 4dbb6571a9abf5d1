import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { keptSecret, secretWeakness } from '../src/secret.ts'

const folder = mkdtempSync(join(tmpdir(), 'latchkey-secret-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a secret is made once, whoever asks at the same time', async () => {
  const directory = join(folder, 'together')

  const secrets = await Promise.all(Array.from({ length: 5 }, () => keptSecret(directory)))

  expect(new Set(secrets).size).toBe(1)
  expect(await keptSecret(directory)).toBe(secrets[0])
  expect(secretWeakness(secrets[0] ?? '')).toBeUndefined()
  expect(readdirSync(directory)).toEqual(['secret'])
})

test('only its owner may read it', async () => {
  const directory = join(folder, 'owned')

  await keptSecret(directory)

  expect(statSync(join(directory, 'secret')).mode & 0o777).toBe(0o600)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  chmodSync(join(directory, 'secret'), 0o644)
  await keptSecret(directory)
  expect(statSync(join(directory, 'secret')).mode & 0o777).toBe(0o600)
})

test('a kept secret that is too weak is refused and left as it is', async () => {
  const directory = join(folder, 'weak')
  await keptSecret(directory)
  writeFileSync(join(directory, 'secret'), 'changed by hand')

  await expect(keptSecret(directory)).rejects.toThrow('must have at least 32 bytes')
  expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('changed by hand')
})

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
])('of "%s" is said: %s', (secret, weakness) => {
  expect(secretWeakness(secret)).toBe(weakness)
})

test.each(['base64', 'base64url', 'hex'] as const)('32 random bytes as %s are always strong enough', (encoding) => {
  const weak = Array.from({ length: 500 }, () => randomBytes(32).toString(encoding)).filter(secretWeakness)
  expect(weak).toEqual([])
})
