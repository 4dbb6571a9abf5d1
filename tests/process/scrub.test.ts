import { describe, expect, test } from 'vitest'
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

describe('a secret is scrubbed wherever the text is cut', () => {
  const most = 100
  test.each([
    ['a password hash', `${'0a'.repeat(16)}:${'0b'.repeat(64)}`, /0a|0b/],
    ['an e-mail address', 'ada.lovelace@mail.example.com', /lovelace/],
    ['a database URL', 'postgres://app:s3cr3t@db:5432/x', /s3cr3t/],
    ['a JWT', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', /eyJ/],
    ['a password in JSON', '{"password": "not seen s3cr3t"}', /seen|s3cr3t/],
  ])('%s', (_, secret, part) => {
    for (let before = 0; before <= most; before++) {
      const text = `${'x '.repeat(most).slice(0, before)} ${secret} ${'y '.repeat(1_000)}`
      expect(scrub(text, most)).not.toMatch(part)
      expect(scrub(text, most).length).toBeLessThanOrEqual(most + 1)
    }
  })

  test('and where what comes before it becomes shorter', () => {
    const hash = `${'0a'.repeat(16)}:${'0b'.repeat(64)}`
    for (let after = 0; after <= 700; after++) {
      const text = `eyJ${'a'.repeat(300)} ${'x '.repeat(350).slice(0, after)} ${hash} ${'y '.repeat(1_000)}`
      expect(scrub(text, most)).not.toMatch(/0a|0b/)
    }
  })

  test('where the quotation has no end', () => {
    expect(scrub('{"password": "correct horse s3cr3t \\')).not.toContain('horse')
    expect(scrub(`{"password": "correct horse ${'s3cr3t '.repeat(500)}"}`)).not.toContain('s3cr3t')
  })
})
