import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, secret } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'
import { buildService, startProgram } from '../support/service-process.ts'
import { makeCertificate } from '../support/standins/certificates.ts'
import { type Mood, type Person, providerNames, startStandIns } from '../support/standins/providers.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { startChromium } from './chromium.ts'
import { comeAndGo, continueWith, errorOf, signUp } from './provider-steps.ts'

const root = buildService()
const folder = mkdtempSync(join(tmpdir(), 'latchkey-standins-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const certificate = makeCertificate(folder, providerNames)
const standIns = await startStandIns(certificate)
afterAll(standIns.close)
const mapped = providerNames.map((name) => `MAP ${name}:443 127.0.0.1:${standIns.port}`)
const chromium = await startChromium([
  `--host-resolver-rules=${[...mapped, 'MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'].join(', ')}`,
  `--ignore-certificate-errors-spki-list=${certificate.spki}`,
])
const port = await freePort()
const origin = `http://localhost:${port}`
const { env: database, remove } = await createTestDatabase()
afterAll(remove)

// The built service as a process of its own: what it is told of the network is all that differs from a deployed one.
const settings = {
  ...database,
  PORT: String(port),
  BETTER_AUTH_URL: origin,
  BETTER_AUTH_SECRET: secret,
  RATE_LIMIT: '0',
  ...providerEnv,
  NODE_EXTRA_CA_CERTS: certificate.authority,
  NODE_OPTIONS: `--import=${pathToFileURL('tests/support/standins/preload.mjs').href}`,
  STANDIN_NAMES: providerNames.join(','),
  STANDIN_PORT: String(standIns.port),
}
let logOf: () => Record<string, unknown>[] = () => []

beforeEach(() => {
  standIns.mood = 'good'
  standIns.person = newPerson()
})

function newPerson(): Person {
  const id = String(Math.floor(Math.random() * 1e9))
  return { id, email: `${randomUUID()}@example.com`, isVerified: true, name: 'Ada Lovelace' }
}

const scripts = [true, false]
const origins = ['https://accounts.google.com', 'https://github.com']
const open = (options = {}) => chromium.open(origin, '/sign-in', { origins, ...options })

let stop = () => Promise.resolve()
// Here: a test cannot ask for what is to be done after all of them.
afterAll(() => stop())

test('the service starts, and tells the callback URLs to give to the providers', async () => {
  const service = startProgram([process.execPath, join(root, 'dist/src/main.js')], settings, folder, (end) => {
    stop = end
  })
  await service.ready()
  logOf = service.log

  const messages = logOf().map(({ msg }) => msg)
  expect(messages).toContain(`Google: the callback URL to give there is ${origin}/api/auth/callback/google`)
  expect(messages).toContain(`GitHub: the callback URL to give there is ${origin}/api/auth/callback/github`)
})

describe.each([
  ['Google', 'GitHub'],
  ['GitHub', 'Google'],
])('with %s', (provider, other) => {
  test.each(scripts)('somebody new gets an account, and returns to it (scripts: %s)', async (isOn) => {
    const page = await open({ javaScriptEnabled: isOn })

    await continueWith(page, origin, provider)
    await page.waitForURL(`${origin}/account`)
    expect(await page.getByText(standIns.person.email ?? '').isVisible()).toBe(true)
    expect(await page.getByText('confirmed', { exact: true }).isVisible()).toBe(true)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await continueWith(page, origin, provider)
    await page.waitForURL(`${origin}/account`)

    expect(await page.getByText('You have no password').isVisible()).toBe(true)
  })

  test('somebody whose address is registered, but not confirmed, is not signed in to that account', async () => {
    const page = await open()
    await signUp(page, origin, standIns.person.email ?? '')
    await page.getByRole('button', { name: 'Sign out' }).click()

    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain('There is an account with this e-mail address already')
  })

  test.each(scripts)('it is added to an account, and removed, never the last way in (scripts: %s)', async (isOn) => {
    const page = await open({ javaScriptEnabled: isOn })
    await signUp(page, origin, standIns.person.email ?? '')

    await page.getByRole('button', { name: `Sign in with ${provider} too` }).click()
    await page.getByRole('link', { name: 'Continue' }).click()
    await page.getByText('You can sign in with it from now on.').waitFor()
    const letters = logOf().filter(({ mail }) => JSON.stringify(mail ?? '').includes(`with ${provider} from now on`))
    expect(letters).not.toEqual([])
    await page.getByRole('button', { name: `Remove ${provider}` }).click()
    await page.getByText('You cannot sign in with it any more.').waitFor()
    expect(await page.getByRole('button', { name: `Remove ${provider}` }).count()).toBe(0)
  })

  test('it is not added in the session of somebody else', async () => {
    const [page, victim] = [await open(), await open()]
    await signUp(page, origin, standIns.person.email ?? '')
    await signUp(victim, origin, newPerson().email ?? '')
    await page.getByRole('button', { name: `Sign in with ${provider} too` }).click()
    const cookies = (await page.context().cookies()).filter(({ name }) => name.endsWith('.state'))
    await victim.context().addCookies(cookies)

    const link = await page.getByRole('link', { name: 'Continue' }).getAttribute('href')
    await victim.goto(link ?? '')

    expect(await errorOf(victim, { isAdding: true })).toContain('Your session has ended meanwhile.')
  })

  test.each(scripts)('somebody who does not allow it is told what to do (scripts: %s)', async (isOn) => {
    standIns.mood = 'denied'
    const page = await open({ javaScriptEnabled: isOn })

    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain('You did not allow it')
  })

  test.each<[string, Mood, string]>([
    ['meets a provider that is down', 'down', 'did not answer as it should'],
    ['meets a provider that takes a minute', 'slow', 'did not answer as it should'],
    ['meets a provider that answers garbage', 'garbage', 'did not answer as it should'],
    ['meets a provider that never stops to answer', 'huge', 'did not answer as it should'],
    ['meets a provider that leads elsewhere', 'redirecting', 'did not answer as it should'],
  ])('somebody who %s is told what to do', async (_what, mood, says) => {
    standIns.mood = mood
    const page = await open()

    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain(says)
  })

  test('somebody who has no address there is told what to do', async () => {
    const { email: _, ...person } = standIns.person
    standIns.person = person as Person
    const page = await open()

    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain('did not tell your e-mail address')
  })

  test('somebody with the same confirmed address as an account signs in to that account', async () => {
    const page = await open()
    await comeAndGo(page, origin, other)

    standIns.person = { ...newPerson(), email: standIns.person.email ?? '' }
    await continueWith(page, origin, provider)
    await page.waitForURL(`${origin}/account`)

    for (const name of [provider, other])
      expect(await page.getByRole('button', { name: `Remove ${name}` }).isVisible()).toBe(true)
  })

  test('somebody whose address the provider has not verified is not signed in to its account', async () => {
    const page = await open()
    await comeAndGo(page, origin, other)

    standIns.person = { ...newPerson(), email: standIns.person.email ?? '', isVerified: false }
    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain('There is an account with this e-mail address already')
  })

  test('a code that was used is not taken again, in a sign-in of its own', async () => {
    const page = await open()
    const called = page.waitForRequest((request) => request.url().startsWith(`${origin}/api/auth/callback/`))
    await continueWith(page, origin, provider)
    const used = new URL((await called).url()).searchParams.get('code') ?? ''
    await page.waitForURL(`${origin}/account`)
    await page.getByRole('button', { name: 'Sign out' }).click()

    await page.route(`${origin}/api/auth/callback/*`, async (route) => {
      const again = new URL(route.request().url())
      again.searchParams.set('code', used)
      await route.continue({ url: again.href })
    })
    await continueWith(page, origin, provider)

    expect(await errorOf(page)).toContain('did not answer as it should')
  })

  test.each(scripts)('somebody who does not allow it to be added is told, too (scripts: %s)', async (isOn) => {
    const page = await open({ javaScriptEnabled: isOn })
    await signUp(page, origin, standIns.person.email ?? '')
    standIns.mood = 'denied'

    await page.getByRole('button', { name: `Sign in with ${provider} too` }).click()
    await page.getByRole('link', { name: 'Continue' }).click()

    expect(await errorOf(page, { isAdding: true })).toContain('You did not allow it')
  })

  test.each<[string, Partial<Person>]>([
    ['no name', { name: '' }],
    ['a name of 200,000 characters', { name: 'x'.repeat(200_000) }],
    ['a name with NUL and a line feed', { name: 'Ada\u0000\nLovelace' }],
    ['a picture on the host itself', { picture: 'http://127.0.0.1:5432/' }],
  ])('somebody with %s is signed in', async (_what, change) => {
    standIns.person = { ...standIns.person, ...change }
    const page = await open()

    await continueWith(page, origin, provider)

    await page.waitForURL(`${origin}/account`)
    const name = await page.getByLabel('Name').inputValue()
    expect(name.length).toBeGreaterThan(0)
    expect(name.length).toBeLessThanOrEqual(200)
  })

  test('a state of another browser, of another provider, or of before is refused', async () => {
    const [page, elsewhere] = [await open(), await open()]
    await page.getByRole('button', { name: `Continue with ${provider}` }).click()
    const href = (await page.getByRole('link', { name: 'Continue' }).getAttribute('href')) ?? ''

    await elsewhere.goto(href)
    expect(await errorOf(elsewhere)).toContain('begun in another browser')
    await page.goto(
      href.replace(/callback\/(google|github)/, (_, id) => `callback/${id === 'google' ? 'github' : 'google'}`),
    )
    expect(await errorOf(page)).toContain('begun in another browser')
    await page.goto(href)
    await page.goto(href)
    expect(await errorOf(page)).toContain('begun in another browser')
  })
})
