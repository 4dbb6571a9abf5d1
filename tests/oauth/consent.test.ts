import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { errorHandler } from '../../src/failures.ts'
import { type Env, openExchange } from '../../src/http/exchange.ts'
import type { Answer, Call } from '../../src/pages/calls.ts'
import { oauthRequestOf } from '../../src/pages/oauth-request.ts'
import { permissionsIn } from '../../src/pages/scope-words.ts'
import { startServiceForFile } from '../support/harness.ts'
import { allow, beginSignIn, createRelyingParty, decide, registerClient } from '../support/relying-party.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const uri = 'https://weather.example.com/about'
const party = await createRelyingParty(service, await registerClient(service, { uri }))

describe('the consent page', () => {
  test('names the application, with a link to what it says of itself', async () => {
    const { url } = await beginSignIn(party)
    const { html } = await createVisitor(service, (await service.createSignedIn()).cookie).open(
      url.pathname + url.search,
    )

    expect(html).toContain(`<a href="${uri}">Weather</a>`)
  })

  test('says for how long an application is allowed, and leads out', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const { url } = await beginSignIn(party)
    const sight = await visitor.open(url.pathname + url.search)

    expect(textOf(sight)).toContain('This holds until you end it, on your account page.')
    expect(sight.html).toContain('<a href="/sign-out">Sign out</a>')
  })

  test('leads back with a refusal', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const { url, state } = await beginSignIn(party)
    const { at } = await decide(visitor, await visitor.open(url.pathname + url.search), 'deny')

    const { searchParams } = new URL(at)
    expect([searchParams.get('error'), searchParams.get('state')]).toEqual(['access_denied', state])
  })

  test('without a request says where to begin', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    for (const sight of [await visitor.open('/consent'), await visitor.submit('/consent', {})]) {
      expect(sight.status).toBe(400)
      expect(textOf(sight)).toContain('An application leads here')
    }
  })

  test('is for who is signed in', async () => {
    const user = await service.createSignedIn()
    const visitor = createVisitor(service, user.cookie)
    const { url } = await beginSignIn(party)
    const sight = await visitor.open(url.pathname + url.search)

    expect((await createVisitor(service).open(sight.at)).at).toMatch(/^\/sign-in\?/)
    await service.db.deleteFrom('session').where('user_id', '=', user.id).execute()
    expect((await decide(visitor, sight, 'allow')).at).toMatch(/^\/sign-in\?/)
  })

  test('says that an answer cannot be kept now, and takes it when it can', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const { url } = await beginSignIn(party)
    const sight = await visitor.open(url.pathname + url.search)
    await sql`alter table verification add constraint broken check (false) not valid`.execute(service.db)
    try {
      expect((await decide(visitor, sight, 'allow')).status).toBe(503)
    } finally {
      await sql`alter table verification drop constraint broken`.execute(service.db)
    }

    expect((await decide(visitor, sight, 'allow')).at).toContain('?code=')
  })

  test('asks again for what is asked in addition only', async () => {
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    await allow(visitor, await beginSignIn(party, 'openid'))
    const open = async (scope: string) => {
      const { url } = await beginSignIn(party, scope)
      return (await visitor.open(url.pathname + url.search)).at
    }

    expect(await open('openid')).toMatch(/^http:\/\/127\.0\.0\.1:4999\/callback\?code=/)
    expect(await open('openid email')).toMatch(/^\/consent\?/)
  })
})

describe('a request of an application', () => {
  /** What comes of a request when the provider answers like this about its client. */
  async function read(answer: Partial<Answer>, query = 'sig=x') {
    const call: Call = () =>
      Promise.resolve({
        status: 200,
        isOk: true,
        code: undefined,
        message: '',
        body: {},
        retryAfter: undefined,
        ...answer,
      })
    const app = new Hono<Env>().get('/', async (c) => c.json((await oauthRequestOf(c, call, query)) ?? null))
    app.onError(errorHandler(service.services.log))
    const incoming = { rawHeaders: [] as string[] } as IncomingMessage
    openExchange(incoming, { id: 'an-id', startedAt: 0 })
    const response = await app.request('/', {}, { incoming })
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.json() }
  }

  test('may leave out what it need not say', async () => {
    const query = 'sig=x&redirect_uri=com.example.app:/cb'
    const request = {
      query,
      client: { name: 'An application' },
      scopes: [],
      loginHint: '',
      formTargets: ['com.example.app:'],
    }

    expect((await read({}, query)).body).toEqual(request)
    expect((await read({}, '')).body).toBeNull()
  })

  test.each<[string, Partial<Answer>, number, string | null]>([
    ['that has expired', { status: 401, isOk: false }, 400, null],
    ['that comes too often', { status: 429, isOk: false, retryAfter: '7' }, 429, '7'],
    ['that comes too often, for a while', { status: 429, isOk: false }, 429, '60'],
    ['while the database is away', { status: 503, isOk: false }, 503, '1'],
  ])('%s is refused for what it is', async (_what, answer, status, retryAfter) => {
    expect(await read(answer, 'sig=x')).toMatchObject({ status, retryAfter })
  })
})

test('a scope without words is shown as it is', () => {
  expect(permissionsIn(['openid', 'weather:change'])).toEqual(['know who you are', 'weather:change'])
})
