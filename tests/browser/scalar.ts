import type { Locator, Page, Request, Response } from 'playwright-core'

/** What a library in Scalar's bundle tries: whether it may compile code. It does without when it may not. */
export const triesToCompile = 'violation: script-src eval'

/** Opens the form of the reference with which one tries to list users. */
export async function openUsersRequest(page: Page): Promise<Locator> {
  const sidebar = page.getByRole('navigation')
  await sidebar.getByRole('button', { name: 'Users Open Group' }).click()
  await sidebar.getByText('List and search users').click()
  await page.getByRole('button', { name: 'Test Request (get /users)' }).click()
  return page.getByRole('dialog', { name: 'API Client' })
}

/** Sends the request of the form that is open. */
export async function send(page: Page): Promise<Response> {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/v1/users'),
    page.getByRole('button', { name: /^Send/ }).first().click(),
  ])
  return response
}

/** Chooses how to authenticate, in place of the session cookie. */
export async function choose(part: Locator, scheme: string): Promise<void> {
  const page = part.page()
  await part.getByRole('button', { name: 'Selected Auth Type: cookie' }).click()
  await page.getByRole('option', { name: scheme }).click()
  await page.getByRole('option', { name: 'cookie' }).click()
  await page.keyboard.press('Escape')
  await part.getByRole('button', { name: `Selected Auth Type: ${scheme}` }).waitFor()
}

/** The bearer token of a request. */
export async function bearerOf(request: Request): Promise<string> {
  const authorization = (await request.allHeaders())['authorization'] ?? ''
  return authorization.replace(/^Bearer /, '')
}
