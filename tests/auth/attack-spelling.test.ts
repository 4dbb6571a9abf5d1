import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { accepted, createTokenProbe, inactive, refused } from '../support/token-probe.ts'
import { frontEnd, hs256, type Members, sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile({
  env: frontEnd.env,
})
const { request } = service
const user = await service.createSignedIn()
const key = await signingKeyOf(service)
const { everywhere, inBody } = createTokenProbe(service, await service.createSignedIn())
const claims = (changes: Members = {}) => sessionClaims(service, user, changes)

describe('J-22 a token', () => {
  test('is accepted in its canonical form', async () => {
    expect(await everywhere(user.token)).toEqual(accepted(user))
  })

  test.each<[string, (token: string) => string]>([
    ['a line feed after it', (token) => `${token}\n`],
    ['a space after it', (token) => `${token} `],
    ['a space before it', (token) => ` ${token}`],
    ['a NUL after it', (token) => `${token}\0`],
    ['a line feed within it', (token) => token.replace('.', '.\n')],
    ['a byte order mark before it', (token) => `\uFEFF${token}`],
    ['its scheme before it', (token) => `Bearer ${token}`],
  ])('with %s is another token, which no header can carry', async (_name, alter) => {
    expect(await inBody(user.token)).toBe(user.id)
    expect(await inBody(alter(user.token))).toBe(inactive)
  })

  test.each<[string, (token: string) => string]>([
    ['padding after it', (token) => `${token}=`],
    ['a tab within it', (token) => token.replace('.', '.\t')],
    ['a space within it', (token) => token.replace('.', ' .')],
    ['an escaped line feed after it', (token) => `${token}%0a`],
    ['the alphabet of plain base64', (token) => token.replaceAll('-', '+').replaceAll('_', '/')],
    ['a fourth part', (token) => `${token}.`],
    ['a fourth part that is its signature', (token) => `${token}.${token.split('.')[2]}`],
    ['an empty part before it', (token) => `.${token}`],
    ['dots alone', () => '..'],
    ['an escaped dot', (token) => token.replace('.', '%2e')],
    ['an upper-case header', (token) => token.replace(/^[^.]+/, (header) => header.toUpperCase())],
  ])('with %s is another token', async (_name, alter) => {
    expect(alter(user.token)).not.toBe(user.token)
    expect(await everywhere(alter(user.token))).toEqual(refused())
  })

  test('whose last character differs only in spare bits is another token', async () => {
    const [head, last] = [user.token.slice(0, -1), user.token.slice(-1)]
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // A signature of 256 bytes leaves four bits of its last character unused.
    const base = alphabet.indexOf(last) & 0b11_0000
    const twins = Array.from({ length: 16 }, (_, spare) => alphabet.charAt(base + spare)).filter(
      (twin) => twin !== last,
    )
    const decoded = (end: string) => Buffer.from((head + end).split('.')[2] ?? '', 'base64url').toString('hex')

    for (const twin of twins) {
      expect(decoded(twin)).toBe(decoded(last))
      expect(await everywhere(head + twin)).toEqual(refused())
    }
  })
})

describe('J-24 a payload', () => {
  const json = JSON.stringify(claims())
  const after = (member: string) => json.replace('{', `{${member},`)
  const bytes = (...more: number[]) =>
    Buffer.concat([Buffer.from('{"more":"'), Buffer.from(more), Buffer.from(`",${json.slice(1)}`)])

  test.each<[string, string | Buffer]>([
    ['as it is', json],
    ['with blanks, and a member that is not read', after(' "more" : [ { "a" : null } ] ')],
    ['with escapes', after(String.raw`"more":"\ud83d\udd11 \\ud800 \n","m\u006fre still":[1e2]`)],
    ['in UTF-8', after('"more":"ä🔑"')],
    ['with a word that is no member', after('"more":"__proto__"')],
  ])('is read %s', async (_name, payload) => {
    expect(await everywhere(signed(key, payload))).toEqual(accepted(user))
  })

  test.each<[string, string | Buffer]>([
    ['is a list', `[${json}]`],
    ['is text', JSON.stringify(json)],
    ['is null', 'null'],
    ['is a number', '7'],
    ['is no JSON', `${json},`],
    ['has a comma too many', json.replace('}', ',}')],
    ['is two objects', json + json],
    ['begins with a byte order mark', `\uFEFF${json}`],
    ['is no UTF-8', bytes(0xff)],
    ['spells a character in too many bytes', bytes(0xc0, 0xaf)],
    ['has half of a pair of surrogates in bytes', bytes(0xed, 0xa0, 0x80)],
    ['has the first half of a pair of surrogates', after(String.raw`"more":"\ud800"`)],
    ['has the second half of a pair of surrogates', after(String.raw`"more":["\uDC00x"]`)],
    ['has half of a pair of surrogates in a name', after(String.raw`"more":{"\ud83d":1}`)],
    ['names a claim twice', after('"sub":"somebody else"')],
    ['names a claim twice, once escaped', after(String.raw`"s\u0075b":"somebody else"`)],
    ['names a member within a claim twice', after('"act":{"sub":"a","sub":"b"}')],
    ['has a prototype', after('"__proto__":{"role":"admin"}')],
    ['has a prototype, escaped', after(String.raw`"__pr\u006fto__":{"role":"admin"}`)],
    ['has a prototype within a member', after('"more":[{"__proto__":{"role":"admin"}}]')],
  ])('that %s is refused', async (_name, payload) => {
    const token = signed(key, payload)
    expect(await everywhere(token)).toEqual(refused())
  })

  test('that is 10,000 deep is refused', async () => {
    const deep = (depth: number) => signed(key, after(`"more":${'['.repeat(depth)}${']'.repeat(depth)}`))
    // Longer than a header may be.
    expect(await inBody(deep(10_000))).toBe(inactive)
    expect(await inBody(deep(10))).toBe(user.id)
  })

  test('whose prototype says admin makes nobody one', async () => {
    const token = signed(key, after('"__proto__":{"role":"admin"}'))
    expect((await request('/api/v1/users', { token })).status).toBe(401)
    expect(({} as { role?: unknown }).role).toBeUndefined()
  })
})

describe('J-24 a claim that is read', async () => {
  const client = createBareClient(service, await registerClient(service))
  const oauth = decodeJwt((await client.tokensFor(user)).access_token)
  const ofClient = (changes: Members) => signed(key, { ...oauth, ...changes }, { typ: 'at+jwt' })
  const ofFrontEnd = (changes: Members) =>
    hs256(frontEnd.secret, claims({ iss: frontEnd.issuer, sid: undefined, ...changes }))

  test('may hold any other character', async () => {
    for (const token of [ofClient({ jti: 'ä 🔑' }), ofFrontEnd({ jti: 'ä 🔑' }), signed(key, claims({ jti: '' }))]) {
      expect(await everywhere(token)).toEqual(accepted(user))
    }
  })

  test.each(['\0', '\u0001', '\n', '\u007f', '\u0085', '\ud800'])('may not hold %j', async (character) => {
    const within = (claim: string, of: Members) => ({ [claim]: `${String(of[claim])}${character}` })
    for (const token of [
      ...['sub', 'sid', 'jti'].map((claim) => signed(key, claims(within(claim, claims())))),
      ...['sub', 'jti'].map((claim) => ofFrontEnd(within(claim, claims()))),
      ...['sub', 'sid', 'jti', 'client_id', 'scope'].map((claim) => ofClient(within(claim, oauth))),
      ofClient({ sub: `${character}`, client_id: `${character}` }),
    ]) {
      expect(await everywhere(token)).toEqual(refused())
    }
  })

  test.each(['', 7, {}, [], true, 'x'.repeat(256)])('may not be %j', async (value) => {
    for (const claim of ['sub', 'sid']) {
      expect(await everywhere(signed(key, claims({ [claim]: value })))).toEqual(refused())
    }
  })
})

describe('J-40 a token', () => {
  test('of more than 8 KiB is refused, however good', async () => {
    const short = signed(key, claims({ more: 'x'.repeat(5_000) }))
    const long = signed(key, claims({ more: 'x'.repeat(6_000) }))

    expect([short.length < 8_192, long.length > 8_192]).toEqual([true, true])
    expect(await everywhere(short)).toEqual(accepted(user))
    expect(await everywhere(long)).toEqual(refused())
  })

  test('of two megabytes is refused before it is read', async () => {
    const refusal = '413 payload-too-large without a challenge'
    expect(await inBody('x'.repeat(2 * 1_024 * 1_024))).toBe(refusal)
    expect(await inBody(signed(key, claims({ more: 'x'.repeat(2 * 1_024 * 1_024) })))).toBe(refusal)
    expect(await inBody('x'.repeat(60_000))).toBe(inactive)
  })
})
