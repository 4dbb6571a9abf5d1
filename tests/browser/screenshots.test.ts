import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { oauthScopes } from '../../src/auth/oauth/scopes.ts'
import { problemTypes } from '../../src/http/problem.ts'
import { type SignedIn, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { providerEnv } from '../support/provider-env.ts'
import { beginSignIn, createRelyingParty, redirectUri, registerClient, tokensFor } from '../support/relying-party.ts'
import { startChromium } from './chromium.ts'
import { askForPassword, failChange, failEmail, failSignIn, leave, openDeletion, seeActing } from './page-steps.ts'
import { actAs, createUsual } from './people.ts'
import type { Allowance } from './watch.ts'

// Without an admin `/setup` is open, and without one nobody registers applications.
const [service, fresh] = [await startServiceForFile({ env: providerEnv }), await startServiceForFile()]
const chromium = await startChromium()
const ada = await service.signIn(await service.createUser({ email: 'ada.lovelace@example.com', name: 'Ada Lovelace' }))
await service.request('/api/auth/request-password-reset', {
  json: { email: ada.email },
  headers: { origin: service.baseUrl },
})
const eve = await service.createUser({ email: 'eve@example.com', emailVerified: false })
await service.request('/api/auth/send-verification-email', {
  json: { email: eve.email },
  headers: { origin: service.baseUrl },
})
// As long as an address may be, and without a place to break it.
const email = `${'x'.repeat(64)}@${'x'.repeat(63)}.${'x'.repeat(63)}.example.com`
const longwinded = await service.signIn(await service.createUser({ email, name: 'x'.repeat(200) }))
const bob = await service.createSignedIn()
const acting = await actAs(service, ada)
const usual = await createUsual(service)
const link = fresh.logLines().find((line) => line.includes('/setup?token='))
const setup = `/setup?token=${/token=([\w-]+)/.exec(link ?? '')?.[1]}`

const modest = await createRelyingParty(service, await registerClient(service))
const longName = { name: 'Weather and Tides of the Northern Coast by Harbour', uri: 'https://weather.example.com' }
const greedy = await createRelyingParty(service, await registerClient(service, { ...longName, scopes: oauthScopes }))
await tokensFor(service, modest, bob)
await tokensFor(service, greedy, bob, oauthScopes.join(' '))

/** Where an application sends people. */
async function requestOf(party: typeof modest, scope?: string): Promise<string> {
  const { url } = await beginSignIn(party, scope)
  return `${url.pathname}${url.search}`
}

/** Gives a password when the address is confirmed already. */
async function comeLate(page: Page): Promise<void> {
  const confirm = (email_verified: boolean) =>
    service.db.updateTable('user').set({ email_verified }).where('id', '=', eve.id).execute()
  await askForPassword(page)
  await confirm(true)
  await page.getByLabel('Password').fill('another password')
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await page.getByRole('link', { name: 'Go on' }).waitFor()
  await confirm(false)
}

interface Subject {
  path: string
  heading: string
  as?: SignedIn
  origin?: string
  /** What to do there to see it. */
  reach?: (page: Page) => Promise<void>
  /** What is to happen there, or where else it may lead. */
  allowance?: Allowance
}

const change = '/verify-email?change=x&email=new@example.com'
const pages: Record<string, Subject> = {
  'sign-in': { path: '/sign-in', heading: 'Sign in' },
  'sign-in-ended': { path: '/sign-in?notice=session-ended', heading: 'Sign in' },
  'sign-in-error': { path: '/sign-in', heading: 'Sign in', reach: failSignIn },
  'sign-up': { path: '/sign-up', heading: 'Create an account' },
  'forgot-password': { path: '/forgot-password', heading: 'Reset your password' },
  'forgot-password-sent': { path: '/forgot-password/sent', heading: 'Look into your mail' },
  'reset-password': {
    path: `/reset-password?token=${mailedToken(service, ada.email)}`,
    heading: 'Choose a new password',
  },
  'reset-password-failed': { path: '/reset-password?error=INVALID_TOKEN', heading: 'Choose a new password' },
  'verify-email': { path: '/verify-email?token=x', heading: 'Confirm your address' },
  'verify-email-password': {
    path: `/verify-email?token=${mailedToken(service, eve.email)}`,
    heading: 'Your password',
    reach: askForPassword,
  },
  'verify-email-late': {
    path: `/verify-email?token=${mailedToken(service, eve.email)}`,
    heading: 'Your address is confirmed',
    reach: comeLate,
  },
  'verify-email-again': { path: '/verify-email', heading: 'Confirm your address' },
  'verify-email-sent': { path: '/verify-email?sent', heading: 'Look into your mail' },
  'verify-email-change': { path: change, heading: 'Confirm your address' },
  'verify-email-change-failed': { path: change, as: ada, heading: 'Confirm your address', reach: failChange },
  account: { path: '/account', as: ada, heading: 'Your account' },
  'account-usual': { path: '/account', as: usual, heading: 'Your account' },
  'account-error': { path: '/account', as: usual, heading: 'Your account', reach: failEmail },
  'account-deletion': { path: '/account', as: usual, heading: 'Your account', reach: openDeletion },
  'account-acting': { path: '/account', as: acting, heading: 'Your account', reach: seeActing },
  'account-applications': { path: '/account', as: bob, heading: 'Your account' },
  setup: { path: setup, origin: fresh.baseUrl, heading: 'Make the first administrator' },
  'setup-used': { path: '/setup?token=used', origin: fresh.baseUrl, heading: 'Make the first administrator' },
  'setup-closed': { path: '/setup', origin: fresh.baseUrl, heading: 'Make the first administrator' },
  'sign-out': { path: '/sign-out', as: bob, heading: 'Sign out?' },
  'sign-out-long': { path: '/sign-out', as: longwinded, heading: 'Sign out?' },
  'account-long': { path: '/account', as: longwinded, heading: 'Your account' },
  'error-adding': { path: '/error?adding&error=email_does_not_match', as: bob, heading: 'Adding it did not work' },
  error: { path: '/error?error=account_not_linked', heading: 'Signing in did not work' },
  problem: { path: '/problems/insufficient-scope', heading: 'Insufficient scope' },
  'not-found': { path: '/nothing', heading: 'Not found', allowance: { faults: ['status of 404'] } },
  'sign-in-application': { path: await requestOf(modest), heading: 'Sign in' },
  consent: { path: await requestOf(modest), as: ada, heading: 'Allow Weather?' },
  'consent-acting': { path: await requestOf(modest), as: acting, heading: 'Allow Weather?', reach: seeActing },
  'consent-long': { path: await requestOf(modest), as: longwinded, heading: 'Allow Weather?' },
  'consent-all': {
    path: await requestOf(greedy, oauthScopes.join(' ')),
    as: ada,
    heading: `Allow ${longName.name}?`,
  },
  leaving: {
    path: await requestOf(modest),
    as: ada,
    reach: leave,
    heading: 'One moment',
    allowance: { origins: [new URL(redirectUri).origin] },
  },
}
const sizes = { phone: { width: 320, height: 640 }, desktop: { width: 1280, height: 900 } }
const views = (['light', 'dark'] as const).flatMap((colorScheme) =>
  (['phone', 'desktop'] as const).map((size) => ({ colorScheme, size })),
)

describe.each(Object.entries(pages))('the page %s', (name, { path, heading, as, origin, reach, allowance }) => {
  test.each(views)('fits a $size in $colorScheme, and everybody can use it', async ({ colorScheme, size }) => {
    const options = { colorScheme, viewport: sizes[size], ...(as && { as }), ...allowance }
    const page = await chromium.open(origin ?? service.baseUrl, path, options)
    await reach?.(page)
    await chromium.screenshot(page, `${name}-${size}-${colorScheme}`, { fullPage: true })

    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(heading)
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    expect(await chromium.barriers(page)).toEqual([])
  })
})

test('every problem has a page no wider than a narrow phone', async () => {
  const page = await chromium.open(service.baseUrl, '/problems/internal', { viewport: sizes.phone })
  const wide: string[] = []
  for (const slug of Object.keys(problemTypes)) {
    const response = await page.goto(`${service.baseUrl}/problems/${slug}`)
    const fits = await page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    if (response?.status() !== 200 || fits !== true) wide.push(slug)
  }
  expect(wide).toEqual([])
})

test('a form that comes back with errors can be used by everybody', async () => {
  const page = await chromium.open(service.baseUrl, '/sign-up')
  await page.evaluate('document.querySelector("form").noValidate = true')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.locator('.error').first().waitFor()
  await chromium.screenshot(page, 'sign-up-errors')

  expect(await chromium.barriers(page)).toEqual([])
})

test('the pages show the name, the logo and the colours of the operator', async () => {
  const logo =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#7a1f5c"/></svg>'
  const brand = { name: 'Acme ID', color: { light: '#7a1f5c', dark: '#f0a6d6' }, logo }
  const own = await startService({ auth: { ...authConfig, brand } })
  try {
    const page = await chromium.open(own.baseUrl, '/sign-in')
    await chromium.screenshot(page, 'brand')

    expect(await page.title()).toBe('Sign in · Acme ID')
    const button = 'getComputedStyle(document.querySelector("button")).backgroundColor'
    expect(await page.evaluate(button)).toBe('rgb(122, 31, 92)')
  } finally {
    await own.stop()
  }
})
