import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { codesIn } from '../support/readme.ts'
import { registerClient } from '../support/relying-party.ts'
import { signUp } from '../support/visitor.ts'
import { startChromium } from './chromium.ts'
import { type FrontEnd, run, startFrontEnd } from './front-end.ts'

const [trusted, stranger] = [await startFrontEnd('127.0.0.1'), await startFrontEnd('127.0.0.1')]
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted.origin } })
const chromium = await startChromium()
const [recipe = '', registration = ''] = ['js', 'sh'].map((language) =>
  codesIn('Sign people in from your application', language).at(-1),
)
const body = /-d '(.*)'/.exec(registration)?.[1] ?? ''
const client = await registerClient(service, JSON.parse(body.replace('http://127.0.0.1:5173', trusted.origin)))
trusted.write(recipe.replace('http://localhost:3000', service.baseUrl).replace('…', client.id))
stranger.write('export {}')

const open = ({ origin }: FrontEnd, faults: string[] = []) =>
  chromium.open(origin, '/', { origins: [service.baseUrl], faults })
const whoAmI = 'return (await (await app.api("/auth/me")).json()).email'

/** Goes to the service to sign in, and is there. */
async function leave(page: Page): Promise<void> {
  await run(page, 'void app.signIn()')
  await page.waitForURL(`${service.baseUrl}/**`)
}

test('the code of the README signs in from another site, calls the API, and asks for leave alone the next time', async () => {
  const user = await signUp(service)
  const page = await open(trusted, ['status of 401'])

  expect(await run(page, `await app.finishSignIn(); ${whoAmI}`)).toBe('Error: Nobody is signed in')
  await leave(page)
  await page.getByLabel('E-mail address').fill(user.email)
  await page.getByLabel('Password').fill(user.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  await page.waitForURL(`${trusted.origin}/?*`)
  expect(await run(page, `await app.finishSignIn(); ${whoAmI}`)).toBe(user.email)
  expect(page.url()).toBe(`${trusted.origin}/`)

  await page.reload()
  await run(page, 'void app.signIn()')
  // Another program might listen at this loopback address now.
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  await page.waitForURL(`${trusted.origin}/?*`)
  expect(await run(page, `await app.finishSignIn(); ${whoAmI}`)).toBe(user.email)

  const { id } = await service.db
    .selectFrom('user')
    .select('id')
    .where('email', '=', user.email)
    .executeTakeFirstOrThrow()
  await service.db.deleteFrom('session').where('user_id', '=', id).execute()
  expect(await run(page, 'return (await app.api("/auth/me")).status')).toBe(401)
})

test('the code of the README tells that somebody did not allow it', async () => {
  const user = await signUp(service)
  const page = await open(trusted)
  await leave(page)
  await page.getByLabel('E-mail address').fill(user.email)
  await page.getByLabel('Password').fill(user.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Do not allow' }).click()
  await page.waitForURL(`${trusted.origin}/?*`)

  const outcome = 'try { await app.finishSignIn() } catch (error) { return error.error }'
  expect(await run(page, outcome)).toBe('access_denied')
  expect(page.url()).toBe(`${trusted.origin}/`)
})

test('what a client needs for its tokens can be read from any origin, the API from one that is trusted', async () => {
  const form = `{ method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", client_id: "${client.id}" }) }`
  const requests: [string, string, unknown][] = [
    ['/api/auth/.well-known/openid-configuration', '{}', 200],
    ['/.well-known/oauth-authorization-server/api/auth', '{}', 200],
    ['/api/auth/jwks', '{}', 200],
    ['/api/auth/oauth2/token', form, 400],
    ['/api/auth/oauth2/revoke', form, 400],
    ['/api/auth/oauth2/userinfo', '{ headers: { authorization: "Bearer none" } }', 401],
    ['/api/v1/auth/me', '{ headers: { authorization: "Bearer none" } }', 401],
  ]
  const refused = ['status of 400', 'status of 401']
  const unread = [...refused, 'blocked by CORS policy', 'net::ERR_FAILED']
  const [inside, outside] = [await open(trusted, refused), await open(stranger, unread)]

  for (const [path, options, status] of requests) {
    const code = `return (await fetch("${service.baseUrl}${path}", ${options})).status`
    const read = [await run(inside, code), await run(outside, code)]
    expect([path, ...read]).toEqual([path, status, path.startsWith('/api/v1') ? 'TypeError: Failed to fetch' : status])
  }
})
