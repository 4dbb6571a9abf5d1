import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { startChromium } from './chromium.ts'
import { tabTo } from './keyboard.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl
const { createMember } = await createDoors(service)

/** Makes an admin act as somebody in their browser, and look at the account. */
async function actAs(page: Page, { id }: { id: string }): Promise<void> {
  const options = { data: { userId: id }, headers: { origin } }
  const response = await page.context().request.post(`${origin}/api/auth/admin/impersonate-user`, options)
  expect(response.status()).toBe(200)
  await page.goto(`${origin}/account`)
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  const open = (as: Awaited<ReturnType<typeof createMember>>) =>
    chromium.open(origin, '/account', { as, javaScriptEnabled })

  test('ends all other sessions, and keeps its own', async () => {
    const member = await createMember()
    const others = [await open(await service.signIn(member)), await open(await service.signIn(member))]
    const page = await open(member)

    await page.keyboard.press('Tab')
    await tabTo(page, 'End all other sessions')
    await page.keyboard.press('Space')
    await page.getByText('Everywhere else you are signed out.', { exact: true }).first().waitFor()
    expect(await page.getByRole('button', { name: 'End all other sessions' }).count()).toBe(0)

    for (const other of others) {
      await other.reload()
      await other.getByText('Your session has ended. Please sign in again.').waitFor()
    }
    await page.reload()
    expect(await page.getByText(member.email).isVisible()).toBe(true)
  })

  test('of an admin who acts as somebody changes nothing of theirs, and returns', async () => {
    const [admin, user] = [await createMember('admin'), await createMember()]
    const page = await open(admin)
    const other = await page.context().newPage()
    await actAs(other, user)
    expect(await other.getByText(user.email).isVisible()).toBe(true)
    await other.getByText('as an administrator. You cannot change it.').waitFor()
    expect(await other.getByRole('textbox').count()).toBe(0)

    // What was open before has its forms still.
    await page.getByLabel('Current password').fill(password)
    await page.getByLabel('New password').fill('a password of mine')
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('You cannot do this while you act as somebody else.').waitFor()
    await page.getByRole('button', { name: 'Return to your own account' }).press('Enter')

    await page.getByText('You are yourself again.').waitFor()
    expect(await page.getByText(admin.email).isVisible()).toBe(true)
    expect(await page.locator('dd').getByText('admin', { exact: true }).isVisible()).toBe(true)
    expect(await page.getByRole('button', { name: 'Return to your own account' }).count()).toBe(0)
  })
})
