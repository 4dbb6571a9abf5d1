import type { Page } from 'playwright-core'
import { redirectUri } from '../support/relying-party.ts'

/** Fills in a form of the account page so that it comes back with an error. */
export async function failEmail(page: Page): Promise<void> {
  await page.getByLabel('New e-mail address').fill('new@example.com')
  await page.getByLabel('Your password').first().fill('wrong')
  await page.getByRole('button', { name: 'Change the address' }).click()
  await page.locator('.error').first().waitFor()
}

/** Opens what asks whether one means it. */
export async function openDeletion(page: Page): Promise<void> {
  await page.locator('summary').last().click()
}

/** Confirms an address in another browser than the one that has signed up. */
export async function askForPassword(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await page.getByLabel('Password').waitFor()
}

/** Leads on to an application that has nothing to show, so that the browser stays where it is. */
export async function leave(page: Page): Promise<void> {
  await page.route(`${redirectUri}?*`, (route) => route.fulfill({ status: 204 }))
  const onward = page.waitForRequest(`${redirectUri}?*`)
  await page.getByRole('button', { name: 'Do not allow' }).click()
  await onward
}

/** Signs in with a wrong password. */
export async function failSignIn(page: Page): Promise<void> {
  await page.getByLabel('E-mail address').fill('ada.lovelace@example.com')
  await page.getByLabel('Password').fill('wrong password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
}

/** Confirms a new address with a link that does not work. */
export async function failChange(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await page.getByRole('alert').waitFor()
}

/** Sees that one acts as somebody else. */
export async function seeActing(page: Page): Promise<void> {
  await page.getByText(/as an administrator. You cannot change it|only they can allow this/).waitFor()
}
