import { describe, expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'
import { createVisitor, signUp } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db } = service

const signedUp = () => signUp(service)

const accountForms = [
  'profile',
  'email',
  'password',
  'sessions',
  'link',
  'unlink',
  'disconnect',
  'delete',
  'return',
].map((form) => `/account/${form}`)

describe('a form that no page of ours has sent', () => {
  test.each([
    ['another site', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['a page without an origin of the same site', { origin: 'null', 'sec-fetch-site': 'same-site' }],
    ['no browser', { origin: '' }],
  ])('is refused from %s, with a page that says so', async (_where, headers) => {
    const { visitor, email } = await signedUp()
    const { name: before } = await db
      .selectFrom('user')
      .select('name')
      .where('email', '=', email)
      .executeTakeFirstOrThrow()

    for (const action of [...accountForms, '/sign-in', '/sign-up', '/sign-out', '/reset-password', '/setup']) {
      const page = await visitor.submit(action, { name: 'Eve', email, password }, headers)
      expect([action, page.status]).toEqual([action, 403])
      expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    }

    expect(await db.selectFrom('user').select('name').where('email', '=', email).executeTakeFirst()).toEqual({
      name: before,
    })
    expect((await visitor.open('/account')).at).toBe('/account')
  })

  test('is taken from a page that hides where it is', async () => {
    const { visitor } = await signedUp()
    const headers = { origin: 'null', 'sec-fetch-site': 'same-origin' }

    expect((await visitor.submit('/account/profile', { name: 'Ada King' }, headers)).at).toBe('/account?notice=profile')
  })
})

test('a password is masked, and known to who keeps passwords', async () => {
  const { visitor } = await signedUp()
  const fields = { '/sign-in': 1, '/sign-up': 1, '/account': 4 }

  for (const [path, count] of Object.entries(fields)) {
    const { html } = await (path === '/account' ? visitor : createVisitor(service)).open(path)
    const inputs = (html.match(/<input [^>]*>/g) ?? []).filter((input) => /name="\w*password"/i.test(input))
    expect([path, inputs.length]).toEqual([path, count])
    for (const input of inputs) expect(input).toMatch(/type="password".* autocomplete="(current|new)-password"/)
  }
})

test.each([
  ['/account/email', '/account'],
  ['/account/sessions', '/account'],
  ['/verify-email/change', '/account'],
  ['/verify-email/resend', '/verify-email'],
  ['/sign-in/social', '/sign-in'],
])('%s, where a form was shown with errors, leads whoever opens it again to %s', async (path, at) => {
  const visitor = at === '/account' ? (await signedUp()).visitor : createVisitor(service)

  expect(await visitor.open(path)).toMatchObject({ status: 200, at })
  expect((await visitor.open('/account/nothing')).status).toBe(404)
})
