import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { authLogger } from '../../src/auth/auth-log.ts'
import { createLog } from '../../src/log.ts'

/** The line that Better-Auth's logger makes of what it is given. */
function lineOf(level: 'error' | 'warn', message: string, ...args: unknown[]): Record<string, unknown> {
  const lines: string[] = []
  const destination = new Writable({ write: (line: Buffer, _, done) => done(void lines.push(line.toString())) })
  authLogger(createLog('debug', destination)).log?.(level, message, ...args)
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>
}

const [debug, warn, error] = [20, 40, 50]

test.each([
  ['Failed to read session from database', error],
  ['State not found', warn],
  ['Invalid password', debug],
  ['Invalid origin: https://evil.example', warn],
  ['Invalid callbackURL: https://evil.example', warn],
  ['An invalid origin: https://evil.example', error],
])('"%s" is at level %i', (message, level) => {
  expect(lineOf('error', message)).toMatchObject({ level, msg: message, source: 'better-auth' })
})

test('a message is cut, and holds no secret', () => {
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'
  const { msg } = lineOf('warn', `${token} ${'x'.repeat(1_000)}`)

  expect(msg).not.toContain('eyJ')
  expect(String(msg).length).toBeLessThanOrEqual(301)
})

test('an error is told with its message', () => {
  const line = lineOf('error', 'Failed', { error: 'not_this' }, new TypeError('fetch failed'))

  expect(line['err']).toMatchObject({ type: 'TypeError', message: 'fetch failed' })
  expect(line).not.toHaveProperty('answer')
})

test.each<[unknown, object | undefined]>([
  [
    { error: 'invalid_client', error_description: 'the secret is s3cret', status: 401 },
    { error: 'invalid_client', status: 401 },
  ],
  [{ error: 'invalid_client' }, { error: 'invalid_client' }],
  [{ error: { of: 'another kind' } }, undefined],
  [{ error: 'x'.repeat(101) }, undefined],
  [{ error: 'with a\nline' }, undefined],
  [undefined, undefined],
])('of what a provider has answered, %j, the code alone is told', (given, answer) => {
  const { level, msg, answer: told } = lineOf('error', '', 'beside it', given)

  expect([level, msg, told]).toEqual([warn, 'a provider gave no tokens for a code', answer])
})
