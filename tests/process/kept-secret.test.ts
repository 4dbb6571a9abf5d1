import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { ConfigError } from '../../src/config.ts'
import { keptSecret } from '../../src/kept-secret.ts'
import { secretWeakness } from '../../src/secret.ts'

const folder = mkdtempSync(join(tmpdir(), 'latchkey-secret-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What is wrong with the secret kept in a directory. */
async function faultsOf(directory: string): Promise<readonly string[]> {
  const error = await keptSecret(directory).catch((thrown: unknown) => thrown)
  if (error instanceof ConfigError) return error.faults
  throw error
}

test('a secret is made once, whoever asks at the same time', async () => {
  const directory = join(folder, 'together')

  const secrets = await Promise.all(Array.from({ length: 5 }, () => keptSecret(directory)))

  expect(new Set(secrets).size).toBe(1)
  expect(await keptSecret(directory)).toBe(secrets[0])
  expect(secretWeakness(secrets[0] ?? '')).toBeUndefined()
  expect(readdirSync(directory)).toEqual(['secret'])
})

test('its name is on disk before it is used', async () => {
  const directory = join(folder, 'flushed')
  const handle = await open(folder)
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const { sync } = prototype
  const synced: [isDirectory: boolean, names: string[]][] = []
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    synced.push([(await this.stat()).isDirectory(), readdirSync(directory)])
    return sync.call(this)
  })
  onTestFinished(() => spy.mockRestore())

  await keptSecret(directory)

  expect(synced.at(-1)).toEqual([true, ['secret']])
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

test('one that is too weak is a fault of the configuration, and left as it is', async () => {
  const directory = join(folder, 'weak')
  await keptSecret(directory)
  writeFileSync(join(directory, 'secret'), 'changed by hand')

  expect(await faultsOf(directory)).toEqual([
    'DATA_DIR: the file "secret" in it must have at least 32 bytes. Put back what was in it, or set BETTER_AUTH_SECRET to that',
  ])
  expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('changed by hand')
})

test('one that is no file is a fault of the configuration', async () => {
  const directory = join(folder, 'none')
  mkdirSync(join(directory, 'secret'), { recursive: true })

  expect(await faultsOf(directory)).toEqual([
    expect.stringContaining('the file "secret" in it cannot be used (EISDIR)'),
  ])
})

test('one that is missing beside a database is not made anew', async () => {
  const directory = join(folder, 'lost')
  mkdirSync(join(directory, 'postgres'), { recursive: true })

  expect(await faultsOf(directory)).toEqual([
    'DATA_DIR: the file "secret" in it is missing, though there is a database. Put back what was in it, or set BETTER_AUTH_SECRET to that',
  ])
  expect(readdirSync(directory)).toEqual(['postgres'])
})

test('one that was made before its database is kept', async () => {
  const directory = join(folder, 'cut short')
  const secret = await keptSecret(directory)
  mkdirSync(join(directory, 'postgres.new'))

  expect(await keptSecret(directory)).toBe(secret)
  mkdirSync(join(directory, 'postgres'))
  expect(await keptSecret(directory)).toBe(secret)
})
