import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { startServiceForFile } from '../support/harness.ts'
import { newUser } from '../support/visitor.ts'
import { startChromium } from './chromium.ts'
import { focused, tabTo } from './keyboard.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl
const { createMember } = await createDoors(service)

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
  const page = await chromium.open(origin, path)

  // The field to begin with has it at once.
  expect(await stops(page, 'Tab', order.length)).toEqual(order)
  const back = ['Skip to content', 'Latchkey', ...order].toReversed()
  expect(await stops(page, 'Shift+Tab', back.length)).toEqual(back)
  await chromium.screenshot(page, `focus${path.replace('/', '-')}-skip`)
})

test('the keyboard alone signs up, out and in again', async () => {
  const page = await chromium.open(origin, '/')
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
})

test.each([true, false])('what is wrong on a long page has the focus, and is seen (with scripts: %s)', async (isOn) => {
  const as = await createMember()
  const options = { as, viewport: { width: 320, height: 640 }, javaScriptEnabled: isOn }
  const page = await chromium.open(origin, '/account', options)

  await page.getByLabel('New e-mail address').fill('ada@example.com')
  await page.getByLabel('Your password').first().fill('wrong')
  await page.getByRole('button', { name: 'Change the address' }).click()
  const fault = page.getByText('This is not your password.')
  await fault.waitFor()
  expect(await isSeen(fault)).toBe(true)
  expect(await focused(page)).toBe('Your password')

  await service.signIn(as)
  await page.goto(`${origin}/account`)
  await service.db.deleteFrom('session').where('user_id', '=', as.id).where('id', '!=', as.sessionId).execute()
  await page.getByRole('button', { name: /^End the session of/ }).click()
  const notice = page.getByText('This is not there any more')
  await notice.waitFor()
  expect(await isSeen(notice)).toBe(true)
  expect(await focused(page)).toContain('This is not there any more')
  await chromium.screenshot(page, 'focus-fault')
})

/** Whether something is on the screen, and nothing needs to be scrolled for it. */
async function isSeen(locator: Locator): Promise<boolean> {
  const box = await locator.boundingBox()
  return box !== null && box.y >= 0 && box.y + box.height <= 640
}
