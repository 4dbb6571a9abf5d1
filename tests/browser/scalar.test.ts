import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { startChromium } from './chromium.ts'
import { openUsersRequest, send, triesToCompile } from './scalar.ts'

const service = await startServiceForFile()
const chromium = await startChromium()
const origin = service.baseUrl
const docs = '/api/v1/docs'
const viewport = { width: 1280, height: 900 }
const faults = [triesToCompile]

test('the reference shows every operation, from its own origin and without an error', async () => {
  const page = await chromium.open(origin, docs, { viewport, faults })

  const sidebar = page.getByRole('navigation')
  for (const group of ['Users', 'Sessions']) await sidebar.getByRole('button', { name: `${group} Open Group` }).click()
  const titles = [
    'The user who asks',
    'List and search users',
    'Ban a user and end their sessions',
    'End one session of a user',
  ]
  for (const title of titles) await expect.poll(() => sidebar.getByText(title).count()).toBe(1)
  await chromium.screenshot(page, 'reference')
})

test('the reference has the document of the sign-in endpoints too', async () => {
  const page = await chromium.open(origin, docs, { viewport, faults })

  await page.getByRole('button', { name: 'Management' }).click()
  await chromium.screenshot(page, 'reference-documents')
  await page.getByText('Sign-in', { exact: true }).first().click()
  const heading = page.getByRole('heading', { name: 'Latchkey: sign-in', level: 1 })
  await heading.waitFor()
  await chromium.screenshot(page, 'reference-sign-in')

  expect(await heading.isVisible()).toBe(true)
})

test('an admin who is signed in lists users from the reference, with nothing to paste', async () => {
  const admin = await service.createSignedIn('admin')
  const ada = await service.createUser({ email: 'ada@example.com', name: 'Ada Lovelace' })
  const page = await chromium.open(origin, docs, { viewport, faults, as: admin })

  await openUsersRequest(page)
  await chromium.screenshot(page, 'reference-test-request')
  const response = await send(page)

  expect(response.status()).toBe(200)
  expect(await response.json()).toMatchObject({
    data: expect.arrayContaining([expect.objectContaining({ id: ada.id })]),
  })
  await page.getByText('Ada Lovelace').first().waitFor()
  await chromium.screenshot(page, 'reference-response')
})

test('an admin who is signed in may change things from the same origin', async () => {
  const [admin, ada] = [await service.createSignedIn('admin'), await service.createUser()]
  const page = await chromium.open(origin, docs, { faults, as: admin })

  const path = `/api/v1/users/${ada.id}/ban`
  const status: unknown = await page.evaluate(`fetch('${path}', { method: 'POST' }).then(({ status }) => status)`)

  expect(status).toBe(200)
})
