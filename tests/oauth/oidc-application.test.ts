import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { createBareClient, type Fields, tokensIn, userInfo } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { decide, redirectUri, registerClient } from '../support/relying-party.ts'
import { answerAt, startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, type Visitor } from '../support/visitor.ts'

// Somebody signs in for an application, and does so with a provider of their own.

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const service = await startServiceForFile({ env: { BETTER_AUTH_URL: origin, PORT: '0', ...provider.env } })
const client = createBareClient(service, await registerClient(service))

function newPerson() {
  const person = { id: randomUUID(), email: `${randomUUID()}@example.com`, isVerified: true, name: 'Ada' }
  provider.add(person)
  return person
}

/** Begins at the application and comes back from the provider: to wherever that leads. */
async function signIn(visitor: Visitor, id: string, more: Fields = {}, page = '/sign-in') {
  const { path, verifier } = client.begin({ state: 'a state', ...more })
  const { at } = await visitor.open(path)
  expect(at.split('?')[0]).toBe(page)
  const oauth_query = at.slice(at.indexOf('?') + 1)
  const away = await visitor.submit('/sign-in/social', { provider: 'oidc', oauth_query })
  const { pathname, search } = await answerAt(away.at, id)
  return { verifier, sight: await visitor.open(`${pathname}${search}`) }
}

async function redeem(at: string, verifier: string) {
  expect(at.startsWith(`${redirectUri}?`)).toBe(true)
  const { searchParams } = new URL(at)
  expect(searchParams.get('state')).toBe('a state')
  return tokensIn(await client.redeem({ code: searchParams.get('code') ?? '', verifier }))
}

test('somebody new is asked for consent, and the application is told who they are', async () => {
  const person = newPerson()
  const visitor = createVisitor(service)

  const { verifier, sight } = await signIn(visitor, person.id)
  expect(sight.at).toMatch(/^\/consent\?/)
  const { access_token } = await redeem((await decide(visitor, sight, 'allow')).at, verifier)

  expect((await userInfo(service, access_token)).body).toMatchObject({ email: person.email })
})

test.each([
  ['asked to sign in again', { prompt: 'login' }],
  ['signed in too long ago', { max_age: '0' }],
])('who is %s does so with the provider, too', async (_, more) => {
  const person = newPerson()
  const visitor = createVisitor(service)
  const { sight } = await signIn(visitor, person.id)
  await decide(visitor, sight, 'allow')
  const sid = async (at: string, verifier: string) => decodeJwt((await redeem(at, verifier)).id_token)['sid']
  const { path, verifier } = client.begin({ state: 'a state' })
  const before = await sid((await visitor.open(path)).at, verifier)

  const again = await signIn(visitor, person.id, more)

  expect(await sid(again.sight.at, again.verifier)).not.toBe(before)
})

test('what they do not allow at the provider leads to no code', async () => {
  const person = newPerson()
  const visitor = createVisitor(service)
  const { at } = await visitor.open(client.begin().path)
  const away = await visitor.submit('/sign-in/social', { provider: 'oidc', oauth_query: at.slice(at.indexOf('?') + 1) })
  const { pathname, search } = await answerAt(away.at, person.id, false)
  expect((await visitor.open(`${pathname}${search}`)).at).toMatch(/^\/error\?error=access_denied/)
  expect((await visitor.open(client.begin({ prompt: 'none' }).path)).at).toContain('error=login_required')
})
