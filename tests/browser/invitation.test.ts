import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { startChromium } from './chromium.ts'

const mailServer = await startMailServer()
// Who has a link that was really mailed reads the mail of the address.
const service = await startServiceForFile({ env: { SMTP_URL: mailServer.url, MAIL_FROM: 'auth@example.com' } })
const chromium = await startChromium()
const origin = service.baseUrl
const password = 'a password of mine'

/** Lets an admin make an account without a password. Returns its address, and the link that is mailed there. */
async function invite() {
  const { token } = await service.createSignedIn('admin')
  const email = `${randomUUID()}@example.com`
  const { status } = await service.request('/api/v1/users', { token, json: { name: 'Ada Lovelace', email } })
  expect(status).toBe(201)
  const links = () =>
    mailServer.mails
      .filter(({ to }) => to.includes(email))
      .flatMap(({ content }) => /http:\S+reset-password\S+/.exec(content)?.[0] ?? [])
  await expect.poll(links, { timeout: 10_000 }).toHaveLength(1)
  return { email, link: links()[0] ?? '' }
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  test('accepts an invitation by the keyboard alone, once', async () => {
    const { email, link } = await invite()
    const page = await chromium.open(origin, link.slice(origin.length), { javaScriptEnabled })

    await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await page.getByText('Your new password is set.').waitFor()
    await page.keyboard.type(email)
    await page.keyboard.press('Tab')
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${origin}/account`)
    expect(await page.getByText(email).isVisible()).toBe(true)
    expect(await page.getByText('confirmed', { exact: true }).isVisible()).toBe(true)

    await page.goto(link)
    await page.getByRole('alert').getByText('was used already').waitFor()
    expect(await page.getByRole('textbox').count()).toBe(0)
  })
})
