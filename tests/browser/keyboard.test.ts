import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../harness.ts'
import { newUser } from '../visitor.ts'
import { startChromium } from './chromium.ts'
import { focused, tabTo } from './keyboard.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl

/** What gets the focus with a key that is pressed so often, the first being what has it already. */
async function stops(page: Page, key: string, count: number): Promise<string[]> {
  const names = [await focused(page)]
  while (names.length < count) {
    await page.keyboard.press(key)
    names.push(await focused(page))
  }
  return names
}

test.each([
  [
    '/sign-in',
    [
      'E-mail address',
      'Password',
      'Stay signed in on this device',
      'Sign in',
      'Forgot your password?',
      'Create an account',
    ],
  ],
  ['/sign-up', ['Name', 'E-mail address', 'Password', 'Create account', 'I have an account already']],
])('the focus goes through %s in the order of what one reads, and is seen', async (path, order) => {
  const { page } = await chromium.open(origin, path)

  // The field to begin with has it at once.
  expect(await stops(page, 'Tab', order.length)).toEqual(order)
  const back = ['Skip to content', 'Latchkey', ...order].toReversed()
  expect(await stops(page, 'Shift+Tab', back.length)).toEqual(back)
  await chromium.screenshot(page, `focus${path.replace('/', '-')}-skip`)
})

test('the keyboard alone signs up, out and in again', async () => {
  const { page, ...watched } = await chromium.open(origin, '/')
  const user = newUser()

  await tabTo(page, 'Create an account')
  await chromium.screenshot(page, 'focus-link')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${origin}/sign-up`)
  await page.keyboard.type(user.name)
  await page.keyboard.press('Tab')
  await page.keyboard.type('ada')
  await page.keyboard.press('Tab')
  await page.keyboard.type(user.password)
  // Back to what is wrong, and on.
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.type(user.email)
  await chromium.screenshot(page, 'focus-field')
  await tabTo(page, 'Create account')
  await chromium.screenshot(page, 'focus-button')
  await page.keyboard.press('Space')
  await page.waitForURL(`${origin}/account`)

  await page.keyboard.press('Tab')
  expect(await focused(page)).toBe('Skip to content')
  await tabTo(page, 'Sign out')
  await page.keyboard.press('Enter')
  await page.getByText('You are signed out.').waitFor()

  await page.keyboard.type(user.email)
  await page.keyboard.press('Tab')
  await page.keyboard.type(user.password)
  await page.keyboard.press('Tab')
  await chromium.screenshot(page, 'focus-checkbox')
  await page.keyboard.press('Space')
  expect(await page.getByLabel('Stay signed in').isChecked()).toBe(false)
  await tabTo(page, 'Sign in')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${origin}/account`)

  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  expect(new URL(page.url()).hash).toBe('#content')
  expect(watched).toEqual({ errors: [], violations: [], strays: [] })
})
