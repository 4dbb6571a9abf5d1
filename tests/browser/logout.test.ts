import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { createRelyingParty, registerClient } from '../support/relying-party.ts'
import { signUp } from '../support/visitor.ts'
import { startApplication } from './application.ts'
import { startChromium } from './chromium.ts'
import { focused, tabTo } from './keyboard.ts'
import { heading, typeAccount } from './oauth-steps.ts'

const application = await startApplication()
const service = await startServiceForFile()
const origin = service.baseUrl
const registered = await registerClient(service, {
  redirectUris: [application.redirectUri],
  postLogoutRedirectUris: [application.goodbyeUri],
})
application.join(await createRelyingParty(service, registered))
const chromium = await startChromium()
const goodbye = `${application.goodbyeUri}?state=leaving`

/** Whether the browser has a session at the service. */
async function isSignedIn(page: Page): Promise<boolean> {
  await page.goto(`${origin}/account`)
  return new URL(page.url()).pathname === '/account'
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  /** Somebody who has signed in for the application. */
  async function visit() {
    const user = await signUp(service)
    const page = await chromium.open(application.origin, '/', { javaScriptEnabled, origins: [origin] })
    await typeAccount(page, user)
    await page.getByRole('button', { name: 'Allow', exact: true }).press('Enter')
    await heading(page, `Hello ${user.email}`)
    return { page, user }
  }

  test('is signed out at once for an application that knows who it is', async () => {
    const { page } = await visit()
    const seen: string[] = []
    page.on('framenavigated', (frame) => seen.push(new URL(frame.url()).pathname))

    await page.goto(application.leaveUri)
    await heading(page, 'Goodbye')

    expect(page.url()).toBe(goodbye)
    expect(seen).toEqual(['/goodbye'])
    expect(await isSignedIn(page)).toBe(false)
  })

  test('is asked by the service where the application does not say who it is, and led back', async () => {
    const { page, user } = await visit()

    await page.goto(`${application.leaveUri}?anybody`)
    await heading(page, 'Sign out?')
    expect(new URL(page.url()).origin).toBe(origin)
    expect(await page.locator('main p').textContent()).toContain(`You are signed in as ${user.email}. An application`)
    await page.keyboard.press('Tab')
    await tabTo(page, 'Stay signed in')
    await page.keyboard.press('Shift+Tab')
    expect(await focused(page)).toBe('Sign out')
    await page.keyboard.press('Space')
    await heading(page, 'Goodbye')

    expect(page.url()).toBe(goodbye)
    expect(await isSignedIn(page)).toBe(false)
  })

  test('stays signed in where it does not want to leave', async () => {
    const { page } = await visit()

    await page.goto(`${application.leaveUri}?anybody`)
    await page.getByRole('link', { name: 'Stay signed in' }).press('Enter')
    await heading(page, 'Your account')

    expect(await isSignedIn(page)).toBe(true)
  })

  test('is asked who has signed in anew since the application knew it', async () => {
    const { page } = await visit()
    await page.goto(`${origin}/account`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await typeAccount(page, await signUp(service))
    await heading(page, 'Your account')

    await page.goto(application.leaveUri)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await heading(page, 'Goodbye')

    expect(page.url()).toBe(goodbye)
    expect(await isSignedIn(page)).toBe(false)
  })
})
