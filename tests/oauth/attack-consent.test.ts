import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createBareClient, type Fields, refusalOf, tokensIn, userInfo } from '../support/bare-client.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor, type Sight, signUp, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const { request } = service
const client = createBareClient(service, await registerClient(service))
const user = await service.createSignedIn()

describe('P-18 the consent page', () => {
  const consent = async (visitor = createVisitor(service, user.cookie), more: Fields = {}) =>
    visitor.open(client.begin(more).path)
  const fieldsOf = ({ at, html }: Sight) => ({
    oauth_query: at.slice(at.indexOf('?') + 1),
    user: /name="user" value="([^"]*)"/.exec(html)?.[1] ?? '',
    decision: 'allow',
  })

  test.each([
    ['scope', 'openid email account:write users:read'],
    ['client_id', 'another'],
    ['redirect_uri', 'http://127.0.0.1:4999/evil'],
    ['state', 'another'],
    ['code_challenge', 'x'.repeat(43)],
    ['exp', '9999999999'],
    ['sig', 'forged'],
  ])('refuses a request whose %s was changed', async (name, value) => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const sight = await consent(visitor)
    const { oauth_query } = fieldsOf(sight)
    const changed = new URLSearchParams(oauth_query)
    changed.set(name, value)

    expect((await visitor.open(`/consent?${changed.toString()}`)).status).toBe(400)
    const forged = await visitor.submit('/consent', { oauth_query: changed.toString(), decision: 'allow' })
    expect([forged.status, forged.at]).toEqual([400, '/consent'])
    expect((await visitor.submit('/consent', fieldsOf(sight))).at).toContain('code=')
  })

  test('refuses a request to which something was added', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const { oauth_query } = fieldsOf(await consent(visitor))
    for (const more of ['scope=users:read', 'client_id=x', 'nonce=x', 'sig=x', 'prompt=none']) {
      const sight = await visitor.submit('/consent', { oauth_query: `${oauth_query}&${more}`, decision: 'allow' })
      expect([more, sight.status]).toEqual([more, 400])
    }
  })

  test('is answered by its own form alone', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const fields = fieldsOf(await consent(visitor))
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }]) {
      expect((await visitor.submit('/consent', fields, headers)).status).toBe(403)
    }
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const json = { accept: true, oauth_query: fields.oauth_query }
    const foreign = await request('/api/auth/oauth2/consent', {
      json,
      headers: { cookie, origin: 'https://evil.example' },
    })
    expect(foreign.status).toBe(403)
  })

  test('is answered at the door of Better-Auth by as little', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const { oauth_query } = fieldsOf(await consent(visitor))
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const accept = async (query: string, presented = cookie) => {
      const json = { accept: true, oauth_query: query }
      const headers = { cookie: presented, origin: service.baseUrl }
      const response = await request('/api/auth/oauth2/consent', { json, headers })
      return [response.status, await response.text()] as const
    }
    for (const [name, value] of [
      ['scope', 'openid email account:write users:read'],
      ['client_id', 'another'],
      ['redirect_uri', 'http://127.0.0.1:4999/evil'],
      ['exp', '9999999999'],
      ['sig', 'forged'],
    ] as const) {
      const changed = new URLSearchParams(oauth_query)
      changed.set(name, value)
      expect(await accept(changed.toString())).toEqual([400, expect.not.stringContaining('code=')])
      expect(await accept(`${oauth_query}&${name}=${value}`)).toEqual([400, expect.not.stringContaining('code=')])
    }
    expect(await accept(oauth_query, '')).toEqual([401, expect.not.stringContaining('code=')])
    expect(await accept(oauth_query)).toEqual([200, expect.stringContaining('code=')])
  })

  test('is no longer answered ten minutes later', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const fields = fieldsOf(await consent(visitor))
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 })
    onTestFinished(() => void vi.useRealTimers())

    expect((await visitor.submit('/consent', fields)).status).toBe(400)

    vi.useRealTimers()
    expect((await visitor.submit('/consent', fields)).at).toContain('code=')
  })

  test('asks the one who is signed in, for themselves', async () => {
    const sight = await consent(createVisitor(service, (await service.createSignedIn()).cookie))
    const stranger = await service.createSignedIn()
    const back = await createVisitor(service, stranger.cookie).submit('/consent', fieldsOf(sight))
    const grants = async (id: string) => {
      const response = await request(`/api/v1/users/${id}/grants`, {
        token: (await service.createSignedIn('admin')).token,
      })
      return ((await response.json()) as { data: unknown[] }).data.length
    }
    expect(textOf(back)).toContain(stranger.email)
    expect(await grants(stranger.id)).toBe(0)
    const nobody = await createVisitor(service).submit('/consent', fieldsOf(sight))
    expect(nobody.at).toMatch(/^\/sign-in\?/)
  })

  test('tells of each scope that a client is given', async () => {
    const claims = JSON.stringify({ userinfo: { email: null, name: null } })
    const person = await service.createSignedIn()
    const visitor = createVisitor(service, person.cookie)
    const code = await client.codeFor(visitor, { scope: 'openid', claims })
    const { access_token } = tokensIn(await client.redeem(code))
    expect((await userInfo(service, access_token)).body).toEqual({ sub: person.id })
    const again = tokensIn(await client.redeem(await client.codeFor(visitor, { scope: 'openid email' })))
    expect((await userInfo(service, again.access_token)).body).toMatchObject({ email: person.email })
  })

  test('cannot be framed', async () => {
    const { headers } = await consent()
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
  })

  test('hands nobody to a client whom an admin impersonates (E-18)', async () => {
    const admin = await service.createSignedIn('admin')
    const person = await service.createSignedIn()
    const response = await request('/api/auth/admin/impersonate-user', {
      cookie: admin.cookie,
      json: { userId: person.id },
    })
    const cookies = response.headers
      .getSetCookie()
      .map((text) => text.split(';')[0])
      .join('; ')
    const visitor = createVisitor(service)
    for (const pair of cookies.split('; '))
      visitor.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    const sight = await consent(visitor)
    expect(sight.html).toContain('only they can allow this')
    expect((await visitor.submit('/consent', { ...fieldsOf(sight), user: person.id })).status).toBe(403)

    // Nor where the person has allowed it before, and nobody is asked.
    await client.codeFor(createVisitor(service, person.cookie))
    const code = await client.codeFor(visitor)
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
    expect((await client.redeem(await client.codeFor(createVisitor(service, person.cookie)))).status).toBe(200)
  })
})

describe('P-28 what is secret stays between the two', () => {
  test('a form with a password leads on by GET', async () => {
    const { email } = await signUp(service)
    const response = await request('/sign-in', {
      method: 'POST',
      body: new URLSearchParams({ email, password }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: service.baseUrl },
    })
    expect([response.status, response.headers.get('location')]).toEqual([303, '/account'])
    const posted = await request('/api/auth/oauth2/authorize', {
      method: 'POST',
      body: client.begin().path.split('?')[1] ?? '',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(posted.status).toBe(303)
  })

  test('no answer with a token, or about one, is kept', async () => {
    const reply = await client.redeem(await client.codeFor(createVisitor(service, user.cookie)))
    const { access_token, refresh_token } = tokensIn(reply)
    for (const { status, headers } of [
      reply,
      await client.redeem({ code: 'x', verifier: 'x' }),
      await client.introspect(access_token),
      await client.introspect('x'),
      await userInfo(service, access_token),
      await userInfo(service, 'x'),
      await client.revoke(refresh_token),
    ]) {
      expect([status, headers.get('cache-control'), headers.get('pragma')]).toEqual([status, 'no-store', 'no-cache'])
    }
  })
})
