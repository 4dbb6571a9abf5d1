import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile, type TestUser } from '../support/harness.ts'
import { mailsTo } from '../support/mails.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const { auth } = await createDoors(service)

const change = (id: string, { token }: SignedIn, json: object) =>
  request(`/api/v1/users/${id}`, { method: 'PATCH', token, json })

const rowOf = ({ id }: TestUser) => db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst()

test.each([
  'Zoë',
  '李小龍',
  'O’Brien',
  '👩‍👩‍👧‍👦',
  'a',
  'n'.repeat(200),
  '🔑'.repeat(200),
  '<script>alert(1)</script>',
  "Robert'); drop table",
  'שלום',
])('N-13, N-14 the name %j is taken', async (name) => {
  const ada = await service.createSignedIn()

  expect(await bodyOf(await change('me', ada, { name }), WireUser)).toMatchObject({ name })
  expect(await rowOf(ada)).toMatchObject({ name })
})

test.each([
  '',
  ' ',
  '\u00a0',
  'n'.repeat(201),
  '🔑'.repeat(201),
  'a\u0000b',
  'a\nb',
  'Ada\r\nBcc: eve@example.com',
  'n'.repeat(60_000),
  '🔑'.repeat(10_000),
  `a${'\u0301'.repeat(10_000)}`,
  'a\u001bb',
  'a\u0085b',
  'a\u2028b',
  'a\ud800b',
  '\udc00',
  7,
  null,
  ['Ada'],
])('N-13, N-14 the name %j is refused', async (name) => {
  const ada = await service.createSignedIn()
  // Half of a surrogate pair travels as an escape only.
  const response = await request('/api/v1/users/me', { method: 'PATCH', token: ada.token, json: { name } })

  expect(await problemOf(response)).toEqual(invalidAt('/name'))
  expect(await rowOf(ada)).toMatchObject({ name: 'Test User' })
})

test.each(['Ada\r\nBcc: eve@example.com', 'n'.repeat(60_000), `a${'\u0301'.repeat(10_000)}`, 'a\u001bb'])(
  'N-13, N-14 the name %j is refused by the other doors too',
  async (name) => {
    const ada = await service.createSignedIn()
    const email = `${randomUUID()}@example.com`
    const headers = { origin: service.baseUrl }

    expect((await auth(ada, '/update-user', { name })).status).toBe(400)
    expect((await request('/api/auth/sign-up/email', { json: { email, name, password }, headers })).status).toBe(400)
    expect(await rowOf(ada)).toMatchObject({ name: 'Test User' })
    expect(await db.selectFrom('user').select('id').where('email', '=', email).execute()).toEqual([])
  },
)

test.each([
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '{{7*7}}${7*7}',
  '\u202Egnp.exe',
  'To: eve@example.com',
])('N-13 the name %j is text on pages, in letters and in the log', async (name) => {
  const ada = await service.createSignedIn()
  const since = service.logLines().length
  expect((await change('me', ada, { name })).status).toBe(200)
  // A client may not turn the text around it.
  const client = await registerClient(service, { name: name.replace('\u202E', '') })
  await expect(registerClient(service, { name: `${name}\u202E` })).rejects.toThrow('/name')

  const visitor = createVisitor(service, ada.cookie)
  const query = {
    client_id: client.id,
    redirect_uri: 'http://127.0.0.1:4999/callback',
    response_type: 'code',
    scope: 'openid',
  }
  const pkce = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', state: 'a' }
  const asked = new URLSearchParams({ ...query, ...pkce }).toString()
  for (const path of ['/account', `/api/auth/oauth2/authorize?${asked}`]) {
    const { html } = await visitor.open(path)
    expect(html).not.toMatch(/<script>alert|<img src=x|>49/)
    expect(html).toContain(name.slice(-4).replace('</sc', '').replaceAll('>', '&gt;'))
  }

  await request('/api/auth/request-password-reset', {
    json: { email: ada.email },
    headers: { origin: service.baseUrl },
  })
  await expect.poll(() => mailsTo(service, ada.email).length).toBe(1)
  const [mail] = mailsTo(service, ada.email)
  expect([mail?.to, mail?.subject.includes(name)]).toEqual([ada.email, false])
  const rest = service
    .logLines()
    .slice(since)
    .filter((line) => !line.includes('"mail"'))
  expect(rest.join('\n')).not.toContain(name)
})
