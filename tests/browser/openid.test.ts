import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'
import { startLyingProvider } from '../support/standins/lying-provider.ts'
import { startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { startChromium } from './chromium.ts'

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const service = await startServiceForFile({ env: { BETTER_AUTH_URL: origin, ...provider.env } })
const absent = await startLyingProvider()
await absent.close()
const withoutProvider = await startServiceForFile({ env: absent.env })
const broker = await startLyingProvider()
afterAll(broker.close)
const brokered = await startServiceForFile({ env: broker.env })
// The services have the names that they call themselves.
const names = [service, brokered, withoutProvider].map(
  ({ baseUrl, url }) => `MAP ${new URL(baseUrl).host} ${new URL(url).host}`,
)
const rules = [...names, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1']
const chromium = await startChromium([`--host-resolver-rules=${rules.join(', ')}`])
let person = { id: '', email: '', isVerified: true, name: 'Ada Lovelace' }

beforeEach(() => {
  person = { ...person, id: randomUUID(), email: `${randomUUID()}@example.com` }
  provider.add(person)
})

/** Signs in at the provider, on its own pages, and allows what is asked for. */
async function allow(page: Page): Promise<void> {
  await page.getByPlaceholder('Enter any login').fill(person.id)
  await page.getByPlaceholder('and password').fill('any')
  await page.getByRole('button', { name: 'Sign-in' }).click()
  await page.getByRole('button', { name: 'Continue' }).click()
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  /** Opens the sign-in page of a service, from which one may go to these providers. */
  const open = (service: string, ...strangers: string[]) =>
    chromium.open(service, '/sign-in', { javaScriptEnabled, strangers })

  test('somebody new gets an account, and returns to it', async () => {
    const page = await open(origin, provider.issuer)

    await page.getByRole('button', { name: 'Continue with Example' }).click()
    await allow(page)
    await page.waitForURL(`${origin}/account`)
    expect(await page.getByText(person.email).isVisible()).toBe(true)
    await page.getByRole('button', { name: 'Sign out' }).click()
    // The provider remembers who they are and what they have allowed.
    await page.getByRole('button', { name: 'Continue with Example' }).click()
    await page.waitForURL(`${origin}/account`)

    expect(await page.getByText('You have no password').isVisible()).toBe(true)
  })

  test('somebody who does not allow it is told what to do', async () => {
    const page = await open(origin, provider.issuer)

    await page.getByRole('button', { name: 'Continue with Example' }).click()
    await page.getByRole('link', { name: 'Cancel' }).click()

    await page.getByRole('heading', { name: 'Signing in did not work' }).waitFor()
    expect(await page.locator('main p').textContent()).toContain('You did not allow it')
  })

  test('it is added to an account, and removed', async () => {
    const page = await open(origin, provider.issuer)
    await page.getByRole('link', { name: 'Create an account' }).click()
    await page.getByLabel('Name').fill('Ada')
    await page.getByLabel('E-mail address').fill(person.email)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Create account' }).click()

    await page.getByRole('button', { name: 'Sign in with Example too' }).click()
    await allow(page)
    await page.getByText('You can sign in with it from now on.').waitFor()
    await page.getByRole('button', { name: 'Remove Example' }).click()
    await page.getByText('You cannot sign in with it any more.').waitFor()
    expect(await page.getByRole('button', { name: 'Remove Example' }).count()).toBe(0)
  })

  test('somebody is led on to wherever the provider leads', async () => {
    const login = createServer((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Another provider</h1>')
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void login.close())
    await once(login, 'listening')
    const location = `http://127.0.0.1:${(login.address() as AddressInfo).port}/login`
    broker.lie = {
      answers: { '/authorize': (_incoming, outgoing) => void outgoing.writeHead(302, { location }).end() },
    }
    const page = await open(brokered.baseUrl, broker.issuer, new URL(location).origin)

    await page.getByRole('button', { name: 'Continue with Example' }).click()
    await page.waitForURL(location)

    expect(await page.getByRole('heading').textContent()).toBe('Another provider')
  })

  test('somebody is told that a provider does not answer', async () => {
    const page = await open(withoutProvider.baseUrl)

    await page.getByRole('button', { name: 'Continue with Example' }).click()

    await page.getByRole('alert').getByText('This service does not answer right now.').waitFor()
    expect(await page.getByLabel('Password').isVisible()).toBe(true)
  })
})
