import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'
import { providerEnv } from '../support/provider-env.ts'
import { age } from '../support/session-age.ts'
import { createVisitor, signUp, textOf } from '../support/visitor.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db } = service

/** Adds a way to sign in as Better-Auth does when somebody comes back from a provider. */
async function link(email: string, providerId: string, accountId: string = randomUUID()): Promise<void> {
  const { id } = await db.selectFrom('user').select('id').where('email', '=', email).executeTakeFirstOrThrow()
  const { internalAdapter } = await service.services.auth.$context
  await internalAdapter.createAccount({ userId: id, providerId, accountId })
}

const lettersTo = (email: string) =>
  mailsTo(service, email)
    .filter(({ subject }) => subject === 'A new way to sign in was added')
    .map(({ text }) => text)

test('the account shows the ways to sign in, and lets its owner remove all but the last', async () => {
  const { visitor, email } = await signUp(service)
  expect((await visitor.open('/account')).html).toContain('Sign in with Google too')

  await link(email, 'google', '1098')
  const page = await visitor.open('/account')
  expect(page.html).toContain('aria-label="Remove Google, account 1098"')
  expect(page.html).not.toContain('Sign in with Google too')
  expect(lettersTo(email)).toHaveLength(1)
  expect(lettersTo(email)[0]).toContain('with Google from now on')
  const [, id = ''] = /action="\/account\/unlink"><input type="hidden" name="id" value="([^"]+)"/.exec(page.html) ?? []
  expect((await visitor.submit('/account/unlink', { id })).at).toBe('/account?notice=unlink')

  const { id: last } = await db
    .selectFrom('account')
    .innerJoin('user', 'user.id', 'account.user_id')
    .select('account.id')
    .where('email', '=', email)
    .executeTakeFirstOrThrow()
  expect(textOf(await visitor.submit('/account/unlink', { id: last }))).toContain('This is your last way to sign in.')
})

test('a provider that is configured no more is no way in', async () => {
  const { GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET } = providerEnv
  const later = await startService({ env: { GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET } })
  onTestFinished(later.stop)
  const user = await later.createUser()
  const { internalAdapter } = await later.services.auth.$context
  const create = (providerId: string) =>
    internalAdapter.createAccount({ userId: user.id, providerId, accountId: randomUUID() })
  const [google, github] = [await create('google'), await create('github')]
  const { cookie } = await later.signIn(user)
  const unlink = async ({ id }: { id: string }) =>
    (await later.request('/api/auth/unlink-account', { cookie, json: { accountId: id } })).status

  const page = await createVisitor(later, cookie).open('/account')
  expect(page.html.match(/aria-label="Remove [^"]+"/g)).toEqual([
    `aria-label="Remove google, account ${google.accountId}"`,
  ])

  expect([await unlink(github), await unlink(google), await unlink(github)]).toEqual([400, 200, 400])
  const left = await later.db.selectFrom('account').select('id').where('user_id', '=', user.id).execute()
  expect(left).toEqual([{ id: github.id }])
})

test('there is no list of providers without any', async () => {
  const { visitor } = await signUp(service)

  expect((await visitor.open('/account')).html).not.toContain('<ul class="rows"></ul>')
})

test('the first way to sign in is how an account begins, and is not told', async () => {
  const user = await service.createUser()

  await link(user.email, 'github')

  expect(lettersTo(user.email)).toEqual([])
})

test('a way to sign in that is added is told by its name, and a first password as such', async () => {
  const user = await service.createUser()
  await link(user.email, 'google')
  await link(user.email, 'github')
  const headers = { origin: service.baseUrl }
  await service.request('/api/auth/request-password-reset', { headers, json: { email: user.email } })
  const json = { token: mailedToken(service, user.email), newPassword: 'correct horse battery' }
  expect((await service.request('/api/auth/reset-password', { headers, json })).status).toBe(200)

  expect(lettersTo(user.email)).toEqual([expect.stringContaining('with GitHub from now on')])
})

test('who has no password is led to one, and is asked for none', async () => {
  const user = await service.createUser()
  await link(user.email, 'github')
  const { cookie } = await service.signIn(user)

  const page = await createVisitor(service, cookie).open('/account')

  expect(textOf(page)).toContain('You have no password: you sign in with another service.')
  expect(page.html).not.toContain('type="password"')
  expect(page.html).not.toContain('aria-label="Remove GitHub"')
})

test('who has no password gets another address in a session that is fresh', async () => {
  const user = await service.createUser()
  await link(user.email, 'github')
  const newEmail = `${randomUUID()}@example.com`
  const ask = async (ageMs: number) => {
    const session = await service.signIn(user)
    await age(service, session, ageMs)
    return createVisitor(service, session.cookie).submit('/account/email', { newEmail })
  }

  const refused = await ask(15 * 60_000)
  expect(textOf(refused)).toContain('To do this, sign in again first.')
  expect(mailsTo(service, newEmail)).toEqual([])

  expect((await ask(14 * 60_000)).at).toBe('/account?notice=email')
  expect(mailsTo(service, newEmail)).toHaveLength(1)
})

test('another way to sign in is added and removed by who has just signed in', async () => {
  const user = await service.createUser()
  await link(user.email, 'github')
  await link(user.email, 'oidc', '4711')
  const open = async (ageMs: number) => {
    const session = await service.signIn(user)
    await age(service, session, ageMs)
    return { ...session, visitor: createVisitor(service, session.cookie) }
  }

  const { visitor, cookie } = await open(15 * 60_000)
  expect(textOf(await visitor.submit('/account/link', { provider: 'google' }))).toContain(
    'To do this, sign in again first.',
  )
  for (const [path, json] of [
    ['link-social', { provider: 'google', callbackURL: '/account' }],
    ['unlink-account', { accountId: '4711' }],
  ] as const) {
    const { status, headers } = await service.request(`/api/auth/${path}`, { cookie, json })
    expect([path, status, headers.get('location')]).toEqual([path, 403, null])
  }

  const { at } = await (await open(14 * 60_000)).visitor.submit('/account/link', { provider: 'google' })
  expect(new URL(at).hostname).toBe('accounts.google.com')
})

test.each(['google', 'github'])(
  'signing in with %s leads there, with the scopes of the service and no others',
  async (provider) => {
    const visitor = createVisitor(service)

    const { at } = await visitor.submit('/sign-in/social', { provider, next: '/users' })
    expect(new URL(at).protocol).toBe('https:')
    const response = await service.request('/api/auth/sign-in/social', {
      json: { provider, callbackURL: '/', scopes: ['admin:org', 'delete_repo'], additionalData: { provider: 'other' } },
      headers: { origin: service.baseUrl },
    })

    const { url } = (await response.json()) as { url: string }
    expect(new URL(url).searchParams.get('scope')).toBe(new URL(at).searchParams.get('scope'))
  },
)

test('a form of the sign-in page leads nowhere else, and its answer on to the provider', async () => {
  const visitor = createVisitor(service)
  const page = await visitor.open('/sign-in')
  expect(page.headers.get('content-security-policy')).toContain("form-action 'self';")

  const leaving = await visitor.submit('/sign-in/social', { provider: 'github' })

  expect(leaving.status).toBe(200)
  expect(textOf(leaving)).toContain('You are led on to github.com.')
  expect(leaving.html).toContain(`<a href="${leaving.at.replaceAll('&', '&amp;')}">`)
})

test('a provider that is not there is told on the page', async () => {
  const page = await createVisitor(service).submit('/sign-in/social', { provider: 'nobody' })

  expect(textOf(page)).toContain('This did not work.')
})

test.each([
  ['of nobody', ''],
  ['of somebody else', 'other'],
])('a provider is not added in a session %s', async (_whose, who) => {
  const { visitor } = await signUp(service)
  const { at } = await visitor.submit('/account/link', { provider: 'google' })
  const state = new URL(at).searchParams.get('state') ?? ''
  const other = who === '' ? createVisitor(service) : (await signUp(service)).visitor
  for (const [name, value] of visitor.cookies) if (name.endsWith('.state')) other.cookies.set(name, value)

  const page = await other.open(`/api/auth/callback/google?code=x&state=${state}`)

  expect(page.at).toBe('/error?adding&error=session_ended')
})
