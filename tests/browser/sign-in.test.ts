import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { password, startServiceForFile } from '../harness.ts'
import { mailedToken } from '../mails.ts'
import { startChromium, type WatchedPage } from './chromium.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl
const clean = { errors: [], violations: [], strays: [] }
const newUser = () => ({ name: 'Ada Lovelace', email: `${randomUUID()}@example.com`, password })

async function signUp({ page }: WatchedPage, user = newUser()) {
  await page.goto(`${origin}/sign-up`)
  await page.getByLabel('Name').fill(user.name)
  await page.getByLabel('E-mail address').fill(user.email)
  await page.getByLabel('Password').fill(user.password)
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.waitForURL(`${origin}/account`)
  return user
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('a browser %s', (_how, javaScriptEnabled) => {
  // Without JavaScript nothing on the page can tell what the policy refused.
  const open = (path: string) => chromium.open(origin, path, { javaScriptEnabled })

  test('signs up, out and in again', async () => {
    const { page, ...watched } = await open('/')
    const { email } = await signUp({ page, ...watched })
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

    expect(watched).toEqual(clean)
  })

  test('sets a forgotten password by the mailed link', async () => {
    const { page, ...watched } = await open('/')
    const { email } = await signUp({ page, ...watched })
    await page.getByRole('button', { name: 'Sign out' }).click()

    await page.getByRole('link', { name: 'Forgot your password?' }).click()
    await page.getByLabel('E-mail address').fill(email)
    await page.getByRole('button', { name: 'Send the link' }).click()
    await page.getByText('a link is on its way').waitFor()
    await page.goto(`${origin}/reset-password?token=${mailedToken(service, email)}`)
    await page.getByLabel('New password').fill('a password of mine')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await page.getByText('Your new password is set.').waitFor()
    await page.getByLabel('E-mail address').fill(email)
    await page.getByLabel('Password').fill('a password of mine')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(`${origin}/account`)

    expect(watched).toEqual(clean)
  })

  test('changes all that the account page offers', async () => {
    const { page, ...watched } = await open('/')
    const { email } = await signUp({ page, ...watched })
    const other = await open('/sign-in')
    await other.page.getByLabel('E-mail address').fill(email)
    await other.page.getByLabel('Password').fill(password)
    await other.page.getByRole('button', { name: 'Sign in' }).click()
    await other.page.waitForURL(`${origin}/account`)

    await page.getByLabel('Name').fill('Ada King')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Your name is saved.').waitFor()
    expect(await page.getByLabel('Name').inputValue()).toBe('Ada King')

    await page.getByRole('button', { name: /^End the session of/ }).click()
    await page.getByText('The session has ended.').waitFor()
    await other.page.reload()
    await other.page.getByText('Your session has ended.').waitFor()

    const newEmail = `new-${email}`
    await page.getByLabel('New e-mail address').fill(newEmail)
    await page.getByLabel('Your password').first().fill(password)
    await page.getByRole('button', { name: 'Change the address' }).click()
    await page.getByText('a link is on its way').waitFor()
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
    expect(watched).toEqual(clean)
  })
})

test('the keyboard alone signs in', async () => {
  const { page } = await chromium.open(origin, '/')
  const { email } = await signUp({ page, errors: [], violations: [], strays: [] })
  await page.getByRole('button', { name: 'Sign out' }).press('Enter')
  await page.waitForURL(/sign-in/)

  // The field to begin with has the focus.
  await page.keyboard.type(email)
  await page.keyboard.press('Tab')
  await page.keyboard.type(password)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await page.keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Sign in')
  expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
  await page.keyboard.press('Enter')

  await page.waitForURL(`${origin}/account`)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  expect(new URL(page.url()).hash).toBe('#content')
})

test('somebody who is banned lands on the sign-in page with their next click, and is told why they cannot return', async () => {
  const [{ page }, admin] = [await chromium.open(origin, '/'), await service.createSignedIn('admin')]
  const { email } = await signUp({ page, errors: [], violations: [], strays: [] })
  const { id } = await service.db.selectFrom('user').select('id').where('email', '=', email).executeTakeFirstOrThrow()
  const json = { reason: 'Spam', expiresAt: '2099-01-31T12:00:00Z' }
  await service.request(`/api/v1/users/${id}/ban`, { token: admin.token, json })

  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Your session has ended.').waitFor()
  expect(new URL(page.url()).pathname).toBe('/sign-in')
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()

  const alert = await page.getByRole('alert').textContent()
  expect(alert).toBe('This account is banned until Sat, 31 Jan 2099 12:00:00 GMT. The reason: Spam')
})
