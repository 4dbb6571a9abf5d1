import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { mailedToken } from '../support/mails.ts'
import { newUser } from '../support/visitor.ts'
import { startChromium } from './chromium.ts'

const mailServer = await startMailServer()
const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl

/** Fills in the form for a new account. */
async function fillIn(page: Page, { name, email, password: secret }: ReturnType<typeof newUser>): Promise<void> {
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(secret)
}

async function signUp(page: Page, user = newUser()) {
  await page.goto(`${origin}/sign-up`)
  await fillIn(page, user)
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.waitForURL(`${origin}/account`)
  return user
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  const open = (path: string) => chromium.open(origin, path, { javaScriptEnabled })

  test('signs up, out and in again', async () => {
    const page = await open('/')
    const { email } = await signUp(page)
    expect(await page.getByText(email).isVisible()).toBe(true)

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('You are signed out.').waitFor()
    await page.getByLabel('E-mail address').fill(email)
    await page.getByLabel('Password').fill('wrong password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').getByText('do not belong together').waitFor()
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(email)
    expect(await page.getByLabel('Password').inputValue()).toBe('')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(`${origin}/account`)
  })

  test('sets a forgotten password by the mailed link', async () => {
    const page = await open('/')
    const { email } = await signUp(page)
    await page.getByRole('button', { name: 'Sign out' }).click()

    await page.getByRole('link', { name: 'Forgot your password?' }).click()
    await page.getByLabel('E-mail address').fill(email)
    await page.getByRole('button', { name: 'Send the link' }).click()
    await page.getByText('open the newest link in its mail').waitFor()
    await page.goto(`${origin}/reset-password?token=${mailedToken(service, email)}`)
    await page.getByLabel('New password').fill('a password of mine')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await page.getByText('Your new password is set.').waitFor()
    await page.getByLabel('E-mail address').fill(email)
    await page.getByLabel('Password').fill('a password of mine')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(`${origin}/account`)
    expect(await page.getByText(email).isVisible()).toBe(true)
  })

  test('changes all that the account page offers', async () => {
    const page = await open('/')
    const { email } = await signUp(page)
    const other = await open('/sign-in')
    await other.getByLabel('E-mail address').fill(email)
    await other.getByLabel('Password').fill(password)
    await other.getByRole('button', { name: 'Sign in' }).click()
    await other.waitForURL(`${origin}/account`)

    await page.getByLabel('Name').fill('Ada King')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Your name is saved.').waitFor()
    expect(await page.getByLabel('Name').inputValue()).toBe('Ada King')

    await page.getByRole('button', { name: /^End the session of/ }).click()
    await page.getByText('The session has ended.').waitFor()
    await other.reload()
    await other.getByText('Your session has ended.').waitFor()

    const newEmail = `new-${email}`
    await page.getByLabel('New e-mail address').fill(newEmail)
    await page.getByLabel('Your password').first().fill(password)
    await page.getByRole('button', { name: 'Change the address' }).click()
    await page.getByText('for the newest link').waitFor()
    const query = new URLSearchParams({ change: mailedToken(service, newEmail), email: newEmail })
    await page.goto(`${origin}/verify-email?${query.toString()}`)
    await page.getByRole('button', { name: 'Confirm the address' }).click()
    await page.getByText('Your e-mail address is changed.').waitFor()

    await page.getByLabel('Current password').fill(password)
    await page.getByLabel('New password').fill('a password of mine')
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('Your password is changed.').waitFor()

    await page.getByText('Delete my account', { exact: true }).click()
    await page.getByLabel('Your password').last().fill('a password of mine')
    await page.getByRole('button', { name: 'Delete my account for good' }).click()
    await page.getByText('Your account is deleted.').waitFor()

    expect(await service.db.selectFrom('user').select('id').where('email', '=', newEmail).execute()).toEqual([])
  })

  test('confirms the address by the mailed link', async () => {
    const mailing = await startService({ env: { SMTP_URL: mailServer.url, MAIL_FROM: 'auth@example.com' } })
    onTestFinished(mailing.stop)
    const page = await chromium.open(mailing.baseUrl, '/sign-up', { javaScriptEnabled })
    const user = newUser()
    await fillIn(page, user)
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByText('Open the newest link in your mail').waitFor()

    const links = () =>
      mailServer.mails
        .filter(({ to }) => to.includes(user.email))
        .flatMap(({ content }) => /http:\S+verify-email\S+/.exec(content)?.[0] ?? [])
    await page.getByRole('link', { name: 'Ask for another link' }).click()
    await page.getByLabel('E-mail address').fill(user.email)
    await page.getByRole('button', { name: 'Send the link' }).click()
    await page.getByText('Open the newest link in your mail').waitFor()
    await expect.poll(() => links().length, { timeout: 10_000 }).toBe(2)
    await page.goto(links().at(-1) ?? '')
    await page.getByRole('button', { name: 'Confirm the address' }).click()
    await page.getByText('Your e-mail address is confirmed.').waitFor()
    await page.getByLabel('E-mail address').fill(user.email)
    await page.getByLabel('Password').fill(user.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(`${mailing.baseUrl}/account`)
  })

  test('becomes the first admin by the link of the log', async () => {
    const fresh = await startService()
    onTestFinished(fresh.stop)
    const [path = ''] = /\/setup\?token=[\w-]+/.exec(fresh.logLines().join('\n')) ?? []
    const page = await chromium.open(fresh.baseUrl, path, { javaScriptEnabled })

    await fillIn(page, newUser())
    await page.getByRole('button', { name: 'Create the administrator' }).click()
    await page.waitForURL(`${fresh.baseUrl}/account`)

    expect(await page.locator('dd').getByText('admin', { exact: true }).isVisible()).toBe(true)
  })
})
