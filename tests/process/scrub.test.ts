import { expect, test } from 'vitest'
import { scrub } from '../../src/log.ts'

test.each([
  ['a JWT', 'got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here', 'eyJ'],
  ['a mailed token in a URL', 'GET /x?token=s3cr3t-token&y=1', 's3cr3t'],
  ['a mailed token in a path', 'GET /api/auth/reset-password/s3cr3t-token?x', 's3cr3t'],
  ['a password in JSON', '{"password": "s3cr3t value", "x": 1}', 's3cr3t'],
  ['the rest of a password in JSON', '{"newPassword": "correct \\"horse\\" s3cr3t", "x": 1}', 's3cr3t'],
  ['an Authorization header', 'authorization: Bearer s3cr3t.token~+/=', 's3cr3t'],
  ['a database URL', 'connecting to postgres://app:s3cr3t@db:5432/x', 's3cr3t'],
  ['a password hash', `${'0a'.repeat(16)}:${'0b'.repeat(64)}`, '0a0a'],
  ['an e-mail address', 'Key (email)=(ada.lovelace+x@mail.example.com) exists', 'lovelace'],
])('%s is scrubbed from a message', (_, message, part) => {
  expect(scrub(message)).not.toContain(part)
})

test.each(['a', 'eyJ', 'a@', 'a.', 'x://', 'token=', 'bearer ', '0123456789abcdef', '"', '\\'])(
  'a text that is all %j is scrubbed in a time that grows as its length',
  (piece) => {
    const text = piece.repeat(1_000_000 / piece.length)

    // As the square of its length, it would take many minutes.
    expect(scrub(text, text.length).length).toBeGreaterThan(0)
  },
)

test('a text that a caller made long is cut before it is scrubbed', () => {
  expect(scrub('a'.repeat(60_000))).toHaveLength(2_001)
})
