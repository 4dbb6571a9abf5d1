import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { password } from '../support/harness.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { startChromium } from './chromium.ts'
import { triesToCompile } from './scalar.ts'

const root = buildService()
const chromium = await startChromium()
const viewport = { width: 1280, height: 900 }
const admin = { name: 'Ada Lovelace', email: 'ada@example.com', password }
const user = { name: 'Bob', email: 'bob@example.com', password: 'staple battery horse' }

/** Fills in the sign-in page and sends it, again when it says that this was too often: then it says when to go on. */
async function signIn(page: Page, who: typeof user): Promise<void> {
  await page.getByLabel('E-mail address').fill(who.email)
  await page.getByLabel('Password').fill(who.password)
  const [response] = await Promise.all([
    page.waitForResponse((answer) => answer.request().method() === 'POST'),
    page.getByRole('button', { name: 'Sign in' }).click(),
  ])
  const text = response.ok() ? await response.text() : ''
  await page.waitForLoadState()
  const limit = /Too many attempts. Try again in (\d+) seconds/.exec(text)
  if (!limit) return
  await page.waitForTimeout(Number(limit[1]) * 1_000)
  return signIn(page, who)
}

/** Opens an operation in the reference and presses "Send", with this in its form; returns what was answered. */
async function send(
  page: Page,
  title: string,
  button: string,
  { id, body }: { id?: string; body?: Record<string, string> } = {},
) {
  await page.getByRole('navigation').getByText(title).click()
  await page.getByRole('button', { name: `Test Request (${button})` }).click()
  const typed: [RegExp, string][] = []
  if (id !== undefined) typed.push([/^me$/, id])
  if (body) typed.push([/^\{/, JSON.stringify(body)])
  for (const [example, text] of typed) {
    await page.getByRole('dialog').getByRole('textbox').filter({ hasText: example }).first().click()
    await page.keyboard.press('Control+A')
    await page.keyboard.insertText(text)
  }
  // What was typed counts a moment later: once the sample of code shows it, too.
  for (const value of [id ?? '', ...Object.values(body ?? {})])
    await page.locator('code').filter({ hasText: value }).first().waitFor({ state: 'attached' })
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname.startsWith('/api/v1/users')),
    page.getByRole('button', { name: /^Send/ }).first().click(),
  ])
  const answer = { status: response.status(), body: (await response.json()) as Record<string, unknown> }
  await page.keyboard.press('Escape')
  return answer
}

test('from a fresh start to an admin, a user of theirs, and a ban', { timeout: 180_000 }, async () => {
  const service = startProcess(root, {})
  const origin = await service.ready()
  const link = () => /http\S+(\/setup\?token=[\w-]+)/.exec(service.output()) ?? []
  await expect.poll(() => link()[0]).toContain(`${origin}/setup`)

  const page = await chromium.open(origin, link()[1] ?? '', { viewport, faults: [triesToCompile] })
  await page.getByLabel('Name').fill(admin.name)
  await page.getByLabel('E-mail address').fill(admin.email)
  await page.getByLabel('Password').fill(admin.password)
  await page.getByRole('button', { name: 'Create the administrator' }).click()
  await page.waitForURL(`${origin}/account`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()
  await signIn(page, admin)
  await page.waitForURL(`${origin}/account`)

  await page.goto(`${origin}/api/v1/docs`)
  await page.getByRole('navigation').getByRole('button', { name: 'Users Open Group' }).click()
  const listed = await send(page, 'List and search users', 'get /users')
  expect(listed).toMatchObject({ status: 200, body: { data: [{ email: admin.email, role: 'admin' }] } })
  const created = await send(page, 'Create a user, or invite one', 'post /users', { body: user })
  expect(created).toMatchObject({ status: 201, body: { email: user.email, role: 'user' } })

  const theirs = await chromium.open(origin, '/', { viewport })
  await signIn(theirs, user)
  await theirs.waitForURL(`${origin}/account`)
  const ban = { reason: 'Sells things', expiresAt: '2099-01-31T12:00:00Z' }
  const options = { id: String(created.body['id']), body: ban }
  const banned = await send(page, 'Ban a user and end their sessions', 'post /users/{id}/ban', options)
  expect(banned).toMatchObject({ status: 200, body: { email: user.email, banned: true } })

  await theirs.getByRole('button', { name: 'Save' }).click()
  await theirs.getByText('Your session has ended. Please sign in again.').waitFor()
  expect(new URL(theirs.url()).pathname).toBe('/sign-in')
  await signIn(theirs, user)
  const alert = await theirs.getByRole('alert').textContent()
  expect(alert).toBe('This account is banned until Sat, 31 Jan 2099 12:00:00 GMT. The reason: Sells things')
  await chromium.screenshot(theirs, 'banned')
})
