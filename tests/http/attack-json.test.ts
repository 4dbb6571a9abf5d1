import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { problemOf } from '../support/wire.ts'

const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: 'https://app.example.com' } })
const { db } = service
const ada = await service.createSignedIn()
const admin = await service.createSignedIn('admin')

const json = 'application/json'
const malformed = { status: 400, slug: 'malformed-request' }
type Body = string | Uint8Array<ArrayBuffer>

/** The doors that read JSON, each of which would change a name. */
const doors: [door: string, method: string, path: string, wrap: (member: string) => string][] = [
  ['/api/v1', 'PATCH', '/api/v1/users/me', (members) => `{${members}}`],
  ['Better-Auth', 'POST', '/api/auth/update-user', (members) => `{${members}}`],
  [
    'the admin endpoints of Better-Auth',
    'POST',
    '/api/auth/admin/update-user',
    (members) => `{"userId":"${admin.id}","data":{${members}}}`,
  ],
]

async function send(method: string, path: string, body: Body, headers: Record<string, string> = {}) {
  const given = { cookie: admin.cookie, origin: service.baseUrl, 'content-type': json, ...headers }
  const response = await fetch(service.url + path, { method, headers: given, body })
  const { type, code } = (await response.clone().json()) as { type?: string; code?: string }
  const slug = type?.replace('/problems/', '') ?? code?.toLowerCase().replaceAll('_', '-')
  return { status: response.status, slug, response }
}

const nameOf = async () =>
  (await db.selectFrom('user').select('name').where('id', '=', admin.id).executeTakeFirstOrThrow()).name

/** What is not read may come back as a connection that was reset. Any other failure is no answer. */
function refusedByReset(error: unknown): { status: number } {
  const { cause } = error as { cause?: { code?: string } }
  if (!['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(cause?.code ?? '')) throw error
  return { status: 413 }
}

/** The milliseconds of the shortest of a few, which tells least of what else goes on. */
async function shortest(ask: () => Promise<{ status: number }>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    const startedAt = performance.now()
    expect((await ask()).status).toBeLessThan(500)
    times.push(performance.now() - startedAt)
  }
  return Math.min(...times)
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const members = (count: number) => Array.from({ length: count }, (_, n) => `"k${n}":1`).join()

describe.each(doors)('%s', (_door, method, path, wrap) => {
  test.each<[id: string, what: string, members: string]>([
    ['N-06', 'a member twice', '"name":"Eve","name":"Eve"'],
    ['N-06', 'a member twice, once in escapes', '"name":"Ada","n\\u0061me":"Eve"'],
    ['N-06', 'a member twice in what is deeper', '"name":"Eve","image":{"a":1,"a":2}'],
    ['N-06', 'more levels than anything has', `"name":"Eve","a":${nested(40)}`],
    ['N-06', 'as many levels as fit', `"name":"Eve","a":${nested(30_000)}`],
    ['N-06', 'as many levels of objects as fit', `"name":"Eve","a":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`],
  ])('%s refuses %s', async (_id, _what, given) => {
    const before = await nameOf()

    expect(await send(method, path, wrap(given))).toMatchObject(malformed)
    expect(await nameOf()).toBe(before)
  })

  test('N-06 refuses levels that never end', async () => {
    expect((await send(method, path, wrap(`"name":"Eve","a":${'['.repeat(60_000)}`))).status).toBe(400)
  })

  test.each<[what: string, member: string]>([
    ['1e999', '1e999'],
    ['a number of sixty thousand digits', '1'.repeat(60_000)],
    ['a number of sixty thousand decimals', `0.${'1'.repeat(60_000)}`],
    ['-1e999', '-1e999'],
  ])('N-06 refuses %s for a name', async (_what, member) => {
    const before = await nameOf()

    expect([400, 422]).toContain((await send(method, path, wrap(`"name":${member}`))).status)
    expect(await nameOf()).toBe(before)
  })

  test.each<[what: string, members: string]>([
    ['a hundred thousand levels', `"a":${nested(100_000)}`],
    ['a million members', members(1_000_000)],
    ['a number of 10 MB', `"name":${'1'.repeat(10_000_000)}`],
  ])('N-06 does not read %s', async (_what, given) => {
    const { status } = await send(method, path, wrap(given)).catch(refusedByReset)
    expect(status).toBe(413)
    // Who was refused was this request, and not everybody.
    const name = `Ada ${given.length}`
    expect((await send(method, path, wrap(`"name":"${name}"`))).status).toBe(200)
    expect(await nameOf()).toBe(name)
  })

  test.each<[what: string, members: string]>([
    ['as many levels as fit', `"name":"Eve","a":${nested(30_000)}`],
    ['levels that never end', `"name":"Eve","a":${'['.repeat(60_000)}`],
    ['as many levels of objects as fit', `"name":"Eve","a":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`],
    ['as many members as fit', `"name":"Eve",${members(5_000)}`],
    ['as many members of one name as fit', `"name":"Eve",${'"a":1,'.repeat(10_000)}"a":1`],
    ['a number of sixty thousand digits', `"name":${'1'.repeat(60_000)}`],
    ['sixty thousand digits of an exponent', `"name":1e${'1'.repeat(60_000)}`],
    ['as many escapes as fit', `"name":"${'\\u0061'.repeat(10_000)}"`],
    ['a text that never ends, of escapes', `"name":"${'\\\\'.repeat(30_000)}`],
  ])('N-06 is busy with %s about as long as with a long name', async (_what, given) => {
    const plain = await shortest(() => send(method, path, wrap(`"name":"${'n'.repeat(60_000)}"`)))
    const hostile = await shortest(() => send(method, path, wrap(given)))
    // What takes the square of its length takes thousands of times as long.
    expect(hostile / plain).toBeLessThan(50)
  })

  test('N-06 refuses as many members as fit', async () => {
    const { status, response } = await send(method, path, wrap(`"name":"Eve",${members(5_000)}`))
    expect([400, 422]).toContain(status)
    expect((await response.text()).length).toBeLessThan(4_000)
  })

  const bytes = (...parts: (string | number[])[]) =>
    new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as string))))
  const [start = '', end = ''] = wrap('"name":"@"').split('@')

  test.each<[what: string, body: Body]>([
    ['bytes that are never UTF-8', bytes(start, [0xff, 0xfe], end)],
    ['an overlong form', bytes(start, [0xc0, 0xaf], end)],
    ['an overlong NUL', bytes(start, [0xc0, 0x80], end)],
    ['half of a surrogate pair', bytes(start, [0xed, 0xa0, 0x80], end)],
    ['what is after Unicode', bytes(start, [0xf5, 0x80, 0x80, 0x80], end)],
    ['a character that is cut', bytes(start, [0xe2, 0x82], end)],
    ['a byte order mark', `\uFEFF${start}Eve${end}`],
    ['UTF-16', new Uint8Array(Buffer.from(`${start}Eve${end}`, 'utf16le'))],
    ['a NUL before it', `\0${start}Eve${end}`],
  ])('N-05 refuses %s', async (_what, body) => {
    const before = await nameOf()

    const { status, slug } = await send(method, path, body)
    // JSON that is broken is refused by who reads it, in words of its own.
    expect([status, slug]).toEqual([400, expect.stringMatching(/^(malformed|bad)-request$/)])
    expect(await nameOf()).toBe(before)
  })

  test('N-05 refuses half of a surrogate pair as an escape', async () => {
    expect([400, 422]).toContain((await send(method, path, wrap('"name":"\\ud800"'))).status)
  })

  test.each(['gzip', 'deflate', 'br', 'x-gzip', 'gzip, identity'])('N-05, N-09 unpacks no %s', async (coding) => {
    const before = await nameOf()
    const bomb = new Uint8Array(gzipSync(wrap(`"name":"${'n'.repeat(10_000_000)}"`)))
    for (const body of [bomb, wrap('"name":"Eve"')]) {
      const { status, slug, response } = await send(method, path, body, { 'content-encoding': coding })
      expect([status, slug]).toEqual([415, 'unsupported-media-type'])
      expect(response.headers.get('accept-encoding')).toBe('identity')
    }
    expect(await nameOf()).toBe(before)
  })

  test.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/json, text/plain',
    'application/problem+json',
    'application/json; charset=utf-16',
    'application/json;version=1',
    'application/jsonp',
    'text/json',
    'json',
    '',
  ])('N-10, H-08 does not read the type %j, and names the one it reads', async (type) => {
    const before = await nameOf()
    const { status, slug, response } = await send(method, path, wrap('"name":"Eve"'), { 'content-type': type })

    // A cookie is refused by `/api/v1` where it comes with what any page may send.
    const refusal = path.startsWith('/api/v1/') ? [403, 'csrf', null] : [415, 'unsupported-media-type', json]
    expect([status, slug, response.headers.get('accept')]).toEqual(refusal)
    expect(await nameOf()).toBe(before)
  })

  test.each([json, 'application/json;charset=UTF-8', 'Application/JSON', 'application/json; charset="utf-8"'])(
    'N-10 reads the type %j',
    async (type) => {
      const name = `Ada ${type} {"name":"x","name":"y"}`
      const given = `"name":${JSON.stringify(name)},"image":null`
      expect((await send(method, path, wrap(given), { 'content-type': type })).status).toBe(200)
      expect(await nameOf()).toBe(name)
    },
  )
})

test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', '', 'json'])(
  'N-10, H-08 the type %j is refused with a problem, to a token too',
  async (type) => {
    const headers = { 'content-type': type }
    const options = { method: 'PATCH', token: ada.token, body: '{"name":"Ada"}', headers }
    const response = await service.request('/api/v1/users/me', options)
    expect(response.headers.get('accept')).toBe(json)
    expect(await problemOf(response)).toEqual({ status: 415, slug: 'unsupported-media-type', at: [] })
  },
)

test.each(['text/plain', 'application/x-www-form-urlencoded', ''])(
  'N-10 of the type %j nothing is read for JSON, broken or not',
  async (type) => {
    const options = { method: 'PATCH', token: ada.token, body: '{"name":"Ada","name":"Eve"}' }
    const response = await service.request('/api/v1/users/me', { ...options, headers: { 'content-type': type } })
    expect(await problemOf(response)).toMatchObject({ status: 415, slug: 'unsupported-media-type' })
  },
)

test.each([
  ['/api/auth/oauth2/token', 415],
  ['/api/auth/oauth2/introspect', 415],
  ['/api/auth/oauth2/revoke', 415],
  ['/api/auth/oauth2/authorize', 415],
  ['/sign-in', 415],
])('N-10, H-08 %s reads forms alone, and says so', async (path, status) => {
  const headers = { origin: service.baseUrl }
  for (const type of [json, 'text/plain', 'multipart/form-data; boundary=x']) {
    const response = await service.request(path, { body: '{}', headers: { ...headers, 'content-type': type } })
    expect([response.status, response.headers.get('accept')]).toEqual([status, 'application/x-www-form-urlencoded'])
  }
})

test.each(['{', '{"name":"Ada"', '{name:1}', "{'name':'Ada'}", 'Ada', '{"name":"Ada"}}', '\u0000', ' '])(
  'N-06 JSON that is broken is refused: %j',
  async (body) => {
    const options = { method: 'PATCH', token: ada.token, body, headers: { 'content-type': json } }
    const response = await service.request('/api/v1/users/me', options)
    expect(await problemOf(response)).toEqual({ ...malformed, at: [] })
  },
)

test('N-06 a body that is missing is a validation problem', async () => {
  const response = await service.request('/api/v1/users/me', { method: 'PATCH', token: ada.token })
  expect(await problemOf(response)).toMatchObject({ status: 422, slug: 'validation' })
})
