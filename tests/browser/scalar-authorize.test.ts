import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { signUp } from '../support/visitor.ts'
import { startChromium } from './chromium.ts'
import { bearerOf, choose, openUsersRequest, send, triesToCompile } from './scalar.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const viewport = { width: 1280, height: 900 }

const open = (options = {}) =>
  chromium.open(service.baseUrl, '/api/v1/docs', { viewport, faults: [triesToCompile], ...options })

/** Somebody with a password who is an admin. */
async function createAdmin() {
  const user = await signUp(service)
  await service.db.updateTable('user').set({ role: 'admin' }).where('email', '=', user.email).execute()
  return user
}

test('an admin signs in from the reference as in an application, and lists users with the token', async () => {
  const admin = await createAdmin()
  const page = await open()
  const authentication = page.getByRole('region', { name: 'Authentication' })

  await choose(authentication, 'oauth2')
  await chromium.screenshot(page, 'reference-authorize')
  const [popup] = await Promise.all([
    page.waitForEvent('popup'),
    authentication.getByRole('button', { name: 'Authorize' }).click(),
  ])
  await popup.getByText('to go on to Latchkey reference').waitFor()
  await popup.getByLabel('E-mail address').fill(admin.email)
  await popup.getByLabel('Password').fill(admin.password)
  const closed = popup.waitForEvent('close')
  await popup.getByRole('button', { name: 'Sign in' }).click()
  await closed
  await authentication.getByText('Access Token').first().waitFor()
  await openUsersRequest(page)
  const response = await send(page)

  expect(response.status()).toBe(200)
  const token = await bearerOf(response.request())
  expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt' })
  expect(decodeJwt(token)).toMatchObject({ client_id: 'reference', scope: expect.stringContaining('users:read') })
  // It ends with the session, for nobody is here to renew it.
  expect(decodeJwt(token)['scope']).not.toContain('offline_access')
})

test('who is signed in already gets a token for what one operation needs, without a question', async () => {
  const admin = await service.createSignedIn('admin')
  const page = await open({ as: admin })
  const form = await openUsersRequest(page)

  await choose(form, 'oauth2')
  await form.getByRole('button', { name: 'Authorize' }).click()
  await form.getByText('Access Token').first().waitFor()
  const response = await send(page)

  expect(response.status()).toBe(200)
  expect(decodeJwt(await bearerOf(response.request()))).toMatchObject({ sub: admin.id, scope: 'users:read' })
})

test('a token that one has is pasted', async () => {
  const { token } = await service.createSignedIn('admin')
  const page = await open()
  const form = await openUsersRequest(page)

  await choose(form, 'bearer')
  await form.getByLabel('Bearer Token').fill(token)
  const response = await send(page)

  expect(response.status()).toBe(200)
  expect(await bearerOf(response.request())).toBe(token)
})
