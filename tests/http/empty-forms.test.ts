import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'
import { createVisitor, type Sight, signUp } from '../support/visitor.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db } = service

const account = ['profile', 'email', 'password', 'link', 'unlink', 'disconnect', 'delete', 'return']
const own = account.map((form) => `/account/${form}`)
const open = [
  '/sign-in',
  '/sign-up',
  '/sign-in/social',
  '/forgot-password',
  '/reset-password',
  '/verify-email',
  '/setup',
]
// What a form holds that nobody fills in.
const hidden: Record<string, Record<string, string>> = { '/reset-password': { token: 'x' }, '/setup': { token: 'x' } }
const nothing = (action: string) => [hidden[action] ?? {}, { ...hidden[action], next: '/api/v1/docs' }]

/** What a page says is wrong: above a form, or beside a field of it. */
function faultsOf({ html }: Sight): string[] {
  return [...html.matchAll(/<p [^>]*(?:role="alert"|class="error")[^>]*>([^<]+)</g)].map(([, text = '']) => text)
}

/** The rows of a user, and of the ways in which they sign in. */
async function rowsOf(email: string) {
  const user = await db.selectFrom('user').selectAll().where('email', '=', email).executeTakeFirstOrThrow()
  return { user, accounts: await db.selectFrom('account').selectAll().where('user_id', '=', user.id).execute() }
}

test.each([...own, ...open])(
  '%s says what is missing when nothing was filled in, and changes nothing',
  async (action) => {
    const { visitor, email } = await signUp(service)
    const before = await rowsOf(email)

    for (const fields of nothing(action)) {
      const seen = await visitor.submit(action, fields)
      expect(seen.status).toBe(200)
      expect(faultsOf(seen)).not.toEqual([])
      expect(await rowsOf(email)).toEqual(before)
    }
  },
)

test.each(own)('%s leads who is not signed in to do so', async (action) => {
  for (const fields of nothing(action)) {
    const seen = await createVisitor(service).submit(action, fields)
    expect([seen.status, seen.at]).toEqual([200, '/sign-in'])
  }
})

test.each(open)('%s says what is missing to who is not signed in', async (action) => {
  for (const fields of nothing(action)) {
    const seen = await createVisitor(service).submit(action, fields)
    expect(seen.status).toBe(200)
    expect(faultsOf(seen)).not.toEqual([])
  }
})

test('who is signed in is led on from the forms to sign in and up', async () => {
  const { visitor } = await signUp(service)

  for (const path of ['/sign-in', '/sign-up?next=/account']) expect((await visitor.open(path)).at).toBe('/account')
})
