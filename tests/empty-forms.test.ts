import { expect, test } from 'vitest'
import { startServiceForFile } from './harness.ts'
import { createVisitor, signUp } from './visitor.ts'

const service = await startServiceForFile()
const own = ['profile', 'email', 'password', 'link', 'unlink', 'delete', 'return'].map((form) => `/account/${form}`)
const open = [
  '/sign-in',
  '/sign-up',
  '/sign-in/social',
  '/forgot-password',
  '/reset-password',
  '/verify-email',
  '/setup',
]

test.each([...own, ...open])('%s says what is missing when nothing was filled in', async (action) => {
  const { visitor } = await signUp(service)

  for (const one of [visitor, createVisitor(service)]) {
    expect((await one.submit(action, {})).status).toBe(200)
    expect((await one.submit(action, { next: '/api/v1/docs' })).status).toBe(200)
  }
})

test('who is signed in is led on from the forms to sign in and up', async () => {
  const { visitor } = await signUp(service)

  for (const path of ['/sign-in', '/sign-up?next=/account']) expect((await visitor.open(path)).at).toBe('/account')
})
