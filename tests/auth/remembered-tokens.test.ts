import { randomBytes, randomUUID, scrypt } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createAccessTokenVerifier } from '../../src/auth/access-token.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import { startServiceForFile } from '../support/harness.ts'
import { attackerKey, hs256, type Members, nowSeconds, type SigningKey, signed } from '../support/tokens.ts'

// The verifier remembers good tokens, and asks for their time and their key each time.

const { db } = await startServiceForFile()
const graceMs = 3_600_000
const issuer = 'https://auth.example/api/auth'
const audience = 'https://auth.example/api/v1'
const shared = { secret: randomBytes(32).toString('base64url'), issuer: 'https://front-end.example' }
const key = attackerKey(randomUUID())
let isHeard = true
let rows = createKeyRows(db, () => isHeard)
let verify = createAccessTokenVerifier(rows, { issuer, audience, graceMs, shared })

beforeEach(async () => {
  await save(key)
  rows = createKeyRows(db, () => isHeard)
  verify = createAccessTokenVerifier(rows, { issuer, audience, graceMs, shared })
  await rows.read()
})
afterEach(() => vi.restoreAllMocks())

/** Puts a key into the table, in the place of one with its id. */
async function save({ kid, publicKey }: SigningKey, expires_at: Date | null = null): Promise<void> {
  const values = { public_key: JSON.stringify(publicKey.export({ format: 'jwk' })), expires_at }
  const row = { id: kid, private_key: '', created_at: new Date(), alg: 'RS256', crv: null, ...values }
  await db
    .insertInto('jwks')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute()
}

function claims(changes: Members = {}): Members {
  const now = nowSeconds()
  return { iss: issuer, aud: audience, sub: 'ada', sid: 'a session', iat: now, exp: now + 900, ...changes }
}

/** What a token is to the verifier without waiting: itself, or why not. */
function verdict(token: string): unknown {
  try {
    const answer = verify(token)
    return answer instanceof Promise ? 'has to wait' : answer.claims.sub
  } catch (error) {
    return (error as { slug?: string }).slug
  }
}

/** Moves the clock that tokens are held to. */
function moveClock(ms: number): void {
  const later = Date.now() + ms
  vi.spyOn(Date, 'now').mockReturnValue(later)
}

test('a token is judged at once while the keys are known, and remembered', () => {
  const token = signed(key, claims())
  const [first, second] = [verify(token), verify(token)]

  expect(first).toMatchObject({ kind: 'session', claims: { sub: 'ada' } })
  expect(second).toBe(first)
})

test('the signature of a remembered token makes no other one good', () => {
  const token = signed(key, claims())
  expect(verdict(token)).toBe('ada')
  const [head, , signature] = token.split('.')
  const [, others] = signed(key, claims({ sub: 'eve' })).split('.')

  expect(verdict(`${head}.${others}.${signature}`)).toBe('invalid-token')
  expect(verdict(token.replace('.', '..'))).toBe('invalid-token')
  expect(verdict(token)).toBe('ada')
})

test('what is remembered cannot be changed', () => {
  const at = { sid: undefined, client_id: 'c', jti: 'j', scope: '', aud: [audience] }
  const answer = verify(signed(key, claims(at), { typ: 'at+jwt' }))
  if (answer instanceof Promise) throw new Error('the keys are not known')

  expect(() => Object.assign(answer.claims, { sub: 'eve' })).toThrow(TypeError)
  expect(() => Object.assign(answer, { kind: 'session' })).toThrow(TypeError)
  expect(() => (answer.claims.aud as string[]).push('https://x.test')).toThrow(TypeError)
})

test.each<[string, () => string]>([
  ['of a session', () => signed(key, claims())],
  ['of the front end', () => hs256(shared.secret, claims({ iss: shared.issuer, sid: undefined }))],
])('a token %s ends with its time though it is remembered', (_, make) => {
  const token = make()
  expect(verdict(token)).toBe('ada')

  moveClock(904_000)
  expect(verdict(token)).toBe('ada')
  moveClock(2_000)
  expect(verdict(token)).toBe('token-expired')
})

test('a remembered token is refused before its nbf, and before it was issued, when the clock is set back', () => {
  const now = nowSeconds()
  const [begun, issued] = [
    signed(key, claims({ iat: now - 60, nbf: now - 30 })),
    signed(key, claims({ iat: now - 30 })),
  ]
  expect([verdict(begun), verdict(issued)]).toEqual(['ada', 'ada'])

  moveClock(-40_000)
  expect([verdict(begun), verdict(issued)]).toEqual(['invalid-token', 'invalid-token'])
})

test('a token that differs in one character from a remembered one is refused', () => {
  const token = signed(key, claims())
  expect(verdict(token)).toBe('ada')

  for (let at = 0; at < token.length; at += 7) {
    const other = token[at] === 'A' ? 'B' : 'A'
    expect(verdict(token.slice(0, at) + other + token.slice(at + 1))).toBe('invalid-token')
  }
  expect(verdict(`${token}A`)).toBe('invalid-token')
  expect(verdict(token)).toBe('ada')
})

test('a remembered token ends with the row of its key: when word of it comes, or soon where none may come', async () => {
  const token = signed(key, claims())
  let clock = Math.ceil(performance.now())
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
  expect(verdict(token)).toBe('ada')

  await db.deleteFrom('jwks').where('id', '=', key.kid).execute()
  clock += 3_600_000
  expect(verdict(token)).toBe('ada')
  isHeard = false
  await expect(verify(token)).rejects.toMatchObject({ slug: 'invalid-token' })

  await save(key)
  isHeard = true
  rows.forget()
  expect(await verify(token)).toMatchObject({ claims: { sub: 'ada' } })
  await db.deleteFrom('jwks').where('id', '=', key.kid).execute()
  rows.forget()
  await expect(verify(token)).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('a remembered token ends with the grace of its key, though the keys are not read again', async () => {
  await save(key, new Date(Date.now() - graceMs + 60_000))
  rows.forget()
  await rows.read()
  const token = signed(key, claims())
  expect(verdict(token)).toBe('ada')

  moveClock(59_000)
  expect(verdict(token)).toBe('ada')
  moveClock(2_000)
  expect(verdict(token)).toBe('invalid-token')
})

test('a remembered token does not outlive a change of its key, and does outlive one of its time', async () => {
  const token = signed(key, claims())
  expect(verdict(token)).toBe('ada')

  await save(key, new Date(Date.now() + 60_000))
  rows.forget()
  await rows.read()
  expect(verdict(token)).toBe('ada')

  const other = attackerKey(key.kid)
  await save(other)
  rows.forget()
  await rows.read()
  expect(verdict(token)).toBe('invalid-token')
  expect(verdict(signed(other, claims()))).toBe('ada')
})

test('a token that was refused is judged again', async () => {
  const [next, now] = [attackerKey(randomUUID()), nowSeconds()]
  const [early, unknown] = [signed(key, claims({ nbf: now + 60 })), signed(next, claims())]
  expect([verdict(early), verdict(unknown)]).toEqual(['invalid-token', 'invalid-token'])

  await save(next)
  rows.forget()
  await rows.read()
  expect(verdict(unknown)).toBe('ada')
  moveClock(60_000)
  expect(verdict(early)).toBe('ada')
})

test('no more is remembered than 32 MiB', () => {
  const text = (sub: string) =>
    hs256(shared.secret, claims({ iss: shared.issuer, sid: undefined, sub, more: 'x'.repeat(5_700) }))
  const [first, last] = [text('first'), text('last')]
  const [before, after] = [verify(first), verify(last)]

  for (let n = 0; n < 4_200; n++) {
    expect([verdict(text(String(n))), verdict(last)]).toEqual([String(n), 'last'])
  }

  expect(first.length).toBeGreaterThan(7_500)
  expect(verify(last)).toBe(after)
  expect(verify(first)).not.toBe(before)
  expect(verify(first)).toEqual(before)
})

test('a token need not wait for the passwords that are being hashed', async () => {
  const order: string[] = []
  const hashes = Array.from(
    { length: 12 },
    () =>
      new Promise<void>((resolve) => {
        scrypt('a password', 'salt', 64, () => {
          order.push('hash')
          resolve()
        })
      }),
  )

  await verify(signed(key, claims()))
  order.push('token')
  await Promise.all(hashes)

  expect(order[0]).toBe('token')
})
