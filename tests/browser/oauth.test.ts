import { describe, expect, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { startServiceForFile } from '../support/harness.ts'
import { createRelyingParty, registerClient } from '../support/relying-party.ts'
import { signUp } from '../support/visitor.ts'
import { startApplication } from './application.ts'
import { startChromium } from './chromium.ts'
import { focused, tabTo } from './keyboard.ts'
import { heading, typeAccount } from './oauth-steps.ts'

// Each is an origin of its own: one that asks for consent, one of the operator, and one to which another leads on.
const [weather, shop, harbour] = [await startApplication(), await startApplication(), await startApplication()]
const clients = new Map([
  ['shop', { name: 'Shop', redirectUris: [shop.redirectUri], scopes: ['openid', 'email', 'account:read'] as const }],
])
const service = await startServiceForFile({ auth: { ...authConfig, clients } })
const registered = await registerClient(service, { redirectUris: [weather.redirectUri, harbour.redirectUri] })
const party = await createRelyingParty(service, registered)
for (const application of [weather, harbour]) application.join(party)
shop.join(await createRelyingParty(service, { id: 'shop', secret: null }))
const chromium = await startChromium()

// Between these one may go.
const origins = [service.baseUrl, weather.origin, shop.origin, harbour.origin]

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  const open = (origin: string) => chromium.open(origin, '/', { javaScriptEnabled, origins })

  test('signs in for an application and allows it by the keyboard alone, and is not asked again', async () => {
    const user = await signUp(service)
    const page = await open(weather.origin)

    await typeAccount(page, user)
    await heading(page, 'Allow Weather?')
    await page.keyboard.press('Tab')
    await tabTo(page, 'Do not allow')
    await page.keyboard.press('Shift+Tab')
    expect(await focused(page)).toBe('Allow')
    await page.keyboard.press('Space')
    await heading(page, `Hello ${user.email}`)
    expect(new URL(page.url()).origin).toBe(weather.origin)

    await page.goto(weather.origin)
    await heading(page, `Hello ${user.email}`)
  })

  test('tells the application that it is not allowed', async () => {
    const user = await signUp(service)
    const page = await open(weather.origin)

    await typeAccount(page, user)
    await heading(page, 'Allow Weather?')
    await page.keyboard.press('Tab')
    await tabTo(page, 'Do not allow')
    await page.keyboard.press('Enter')
    await heading(page, 'access_denied')

    await page.goto(weather.origin)
    await heading(page, 'Allow Weather?')
    expect(new URL(page.url()).origin).toBe(service.baseUrl)
  })

  test('is asked again once it has disconnected the application', async () => {
    const user = await signUp(service)
    const page = await open(weather.origin)
    await typeAccount(page, user)
    await page.getByRole('button', { name: 'Allow', exact: true }).click()
    await heading(page, `Hello ${user.email}`)

    await page.goto(`${service.baseUrl}/account`)
    await page.getByRole('button', { name: 'Disconnect Weather' }).press('Enter')
    await page.getByText('It is not connected to your account any more.').waitFor()
    await page.goto(weather.origin)

    await heading(page, 'Allow Weather?')
    expect(new URL(page.url()).origin).toBe(service.baseUrl)
  })

  test("goes on to an application of the operator's own without a question", async () => {
    const user = await signUp(service)
    const page = await open(shop.origin)
    const seen: string[] = []
    page.on('framenavigated', (frame) => seen.push(new URL(frame.url()).pathname))

    await page.getByText('to go on to Shop').waitFor()
    await typeAccount(page, user)
    await heading(page, `Hello ${user.email}`)

    expect(seen).not.toContain('/consent')
  })

  test('signs in anew where the application wants that', async () => {
    const user = await signUp(service)
    const page = await open(shop.origin)
    await typeAccount(page, user)
    await heading(page, `Hello ${user.email}`)

    await page.goto(`${shop.origin}/?prompt=login`)
    await typeAccount(page, user)

    await heading(page, `Hello ${user.email}`)
    expect(new URL(page.url()).origin).toBe(shop.origin)
  })

  test('changes to another account on the consent page', async () => {
    const [user, other] = [await signUp(service), await signUp(service)]
    const page = await open(weather.origin)
    await typeAccount(page, user)
    await page.getByText(user.email).waitFor()

    await page.getByRole('link', { name: 'Use another account' }).press('Enter')
    await typeAccount(page, other)
    await page.getByText(other.email).waitFor()
    await page.getByRole('button', { name: 'Allow', exact: true }).click()

    await heading(page, `Hello ${other.email}`)
    expect(new URL(page.url()).origin).toBe(weather.origin)
  })

  test('is led on to a third origin at once', async () => {
    const user = await signUp(service)
    const { origin } = harbour
    const page = await open(origin)
    harbour.leadOn(`${shop.origin}/?prompt=login`)

    await typeAccount(page, user)
    await page.getByRole('button', { name: 'Allow', exact: true }).click()

    await page.getByText('to go on to Shop').waitFor()
    expect(new URL(page.url()).origin).toBe(service.baseUrl)
  })
})
