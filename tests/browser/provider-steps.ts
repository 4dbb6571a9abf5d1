import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { password } from '../support/harness.ts'

/** Signs in with a provider. */
export async function continueWith(page: Page, origin: string, provider: string): Promise<void> {
  await page.goto(`${origin}/sign-in`)
  await page.getByRole('button', { name: `Continue with ${provider}` }).click()
  await page.getByRole('link', { name: 'Continue' }).click()
}

/** Signs in with a provider, and out again: there is an account with it then. */
export async function comeAndGo(page: Page, origin: string, provider: string): Promise<void> {
  await continueWith(page, origin, provider)
  await page.waitForURL(`${origin}/account`)
  await page.getByRole('button', { name: 'Sign out' }).click()
}

/** Makes an account with a password. */
export async function signUp(page: Page, origin: string, email: string): Promise<void> {
  await page.goto(`${origin}/sign-up`)
  await page.getByLabel('Name').fill('Ada')
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.waitForURL(`${origin}/account`)
}

/** Where it ends when it did not work, to sign in or to add it to an account: what the page says. */
export async function errorOf(page: Page, { isAdding = false } = {}): Promise<string> {
  const [heading, back] = isAdding
    ? ['Adding it did not work', 'Back to your account']
    : ['Signing in did not work', 'Back to sign-in']
  await page.getByRole('heading', { name: heading }).waitFor()
  expect(new URL(page.url()).pathname).toBe('/error')
  expect(await page.getByRole('link', { name: back }).isVisible()).toBe(true)
  return (await page.locator('main p').textContent()) ?? ''
}
