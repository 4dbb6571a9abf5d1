import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { registerClient } from '../support/relying-party.ts'
import { accepted, createTokenProbe, refused, verdictOf } from '../support/token-probe.ts'
import { createVisitor, newUser } from '../support/visitor.ts'

const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
const { request, baseUrl } = service
const { createMember } = await createDoors(service)
const client = createBareClient(service, await registerClient(service))
const asker = await service.createSignedIn()
const { everywhere } = createTokenProbe(service, asker)

const ask = (path: string, json: object) => request(`/api/auth${path}`, { json, headers: { origin: baseUrl } })

/** Where the first link in the mail to an address leads. */
async function linkTo(email: string): Promise<URL> {
  const contents = () => mails.filter(({ to }) => to.includes(email)).map(({ content }) => content)
  await expect.poll(() => contents().length, { timeout: 5_000 }).toBe(1)
  return new URL(/http:\S+/.exec(contents()[0] ?? '')?.[0] ?? '')
}

const linksFor: [string, () => Promise<URL>][] = [
  [
    'J-04 confirms an address',
    async () => {
      const user = newUser()
      await ask('/sign-up/email', user)
      return linkTo(user.email)
    },
  ],
  [
    'J-28 changes an address',
    async () => {
      const newEmail = `${randomUUID()}@example.com`
      await createVisitor(service, (await createMember()).cookie).submit('/account/email', { newEmail, password })
      return linkTo(newEmail)
    },
  ],
  [
    'J-28 resets a password',
    async () => {
      const { email } = await createMember('admin')
      await ask('/request-password-reset', { email })
      return linkTo(email)
    },
  ],
  [
    'J-28 invites somebody',
    async () => {
      const { password: _none, ...json } = newUser()
      await request('/api/v1/users', { token: (await service.createSignedIn('admin')).token, json })
      return linkTo(json.email)
    },
  ],
]

test.each(linksFor)('%s: what is mailed for it is no bearer token', async (_, send) => {
  const link = await send()
  const secrets = [...link.searchParams.values()].filter((value) => value.length >= 24)
  expect(secrets.length).toBeGreaterThan(0)

  for (const secret of secrets) expect(await everywhere(secret)).toEqual(refused())

  const opened = await createVisitor(service).open(`${link.pathname}${link.search}`)
  expect([opened.status, opened.html.includes('<form')]).toEqual([200, true])
  expect(await everywhere(asker.token)).toEqual(accepted(asker))
})

describe('J-25 what a client holds beside its access token', () => {
  test.each(['id_token', 'refresh_token'] as const)('is no credential: the %s', async (kind) => {
    const user = await service.createSignedIn()
    const tokens = await client.tokensFor(user)

    expect(await everywhere(tokens[kind])).toEqual(refused())

    expect(await everywhere(tokens.access_token)).toEqual(accepted(user))
  })
})

describe('J-26 an access token of a client', () => {
  test('of an admin does what its scopes say, and no more', async () => {
    const admin = await service.createSignedIn('admin')
    const { access_token: token } = await client.tokensFor(admin, { scope: 'openid account:read' })
    expect(await everywhere(token)).toEqual(accepted(admin))

    const answer = await request('/api/v1/users', { token })

    expect(await verdictOf(answer)).toBe('403 insufficient-scope Bearer error="insufficient_scope", scope="users:read"')
    const change = await request('/api/v1/users/me', { method: 'PATCH', token, json: { name: 'Eve' } })
    expect(await verdictOf(change)).toMatch(/^403 insufficient-scope /)
    expect((await request('/api/v1/users', { token: admin.token })).status).toBe(200)
  })

  test('for who signs in alone is none for us', async () => {
    const { access_token } = await client.tokensFor(await service.createSignedIn('admin'), { scope: 'openid' })

    expect(await everywhere(access_token)).toEqual(refused())
    expect((await request('/api/auth/oauth2/userinfo', { token: access_token })).status).toBe(200)
  })
})
