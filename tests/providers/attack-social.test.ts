import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, startService, startServiceForFile } from '../support/harness.ts'
import { mailsTo } from '../support/mails.ts'
import { providerEnv } from '../support/provider-env.ts'
import { createVisitor, type Visitor } from '../support/visitor.ts'

const service = await startServiceForFile({ env: providerEnv })
const { baseUrl } = service
const sessionCookie = service.services.sessionCookies.name

/** Goes to a provider; returns the state with which it leads back. */
async function leave(visitor: Visitor, provider: string): Promise<string> {
  const { at } = await visitor.submit('/sign-in/social', { provider })
  return new URL(at).searchParams.get('state') ?? ''
}

test('X-15 a provider that is configured no more ends what was begun with it', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const before = await startService({ env: providerEnv, database })
  const visitor = createVisitor(before)
  const state = await leave(visitor, 'google')
  await before.stop()
  const after = await startService({ database })
  onTestFinished(() => after.stop())

  const later = createVisitor(after)
  for (const [name, value] of visitor.cookies) later.cookies.set(name, value)
  const sight = await later.open(`/api/auth/callback/google?code=x&state=${state}`)

  expect(sight.at).toBe('/error?error=oauth_provider_not_found')
  expect(later.cookies.has(sessionCookie)).toBe(false)
})

describe('X-16 a request that names another host', () => {
  const evil = 'evil.example'
  const kinds: [string, string, Record<string, string>][] = [
    ['in Host', '', { host: evil }],
    ['in X-Forwarded-Host', '', { 'x-forwarded-host': evil, 'x-forwarded-proto': 'https' }],
    ['in Forwarded', '', { forwarded: `host=${evil}` }],
    ['in its target', `http://${evil}`, {}],
  ]

  /** A request that `fetch` would not make. */
  async function raw(path: string, json: object, headers: Record<string, string>): Promise<string> {
    const given = { origin: baseUrl, 'content-type': 'application/json', ...headers }
    const { hostname, port } = new URL(service.url)
    const outgoing = httpRequest({ hostname, port, path, method: 'POST', agent: false, headers: given })
    outgoing.end(JSON.stringify(json))
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    return `${incoming.statusCode} ${JSON.stringify(incoming.headers)} ${await text(incoming)}`
  }

  test.each(kinds)('%s is not led there by a provider', async (_where, target, headers) => {
    const answer = await raw(`${target}/api/auth/sign-in/social`, { provider: 'google', callbackURL: '/' }, headers)

    expect(answer).toMatch(/^200 /)
    expect(answer).toContain(encodeURIComponent(`${baseUrl}/api/auth/callback/google`))
    expect(answer).not.toContain(evil)
  })

  test.each(kinds)('%s is not mailed a link to there', async (_where, target, headers) => {
    const { email } = await service.createUser({ emailVerified: false })

    for (const path of ['request-password-reset', 'send-verification-email']) {
      const answer = await raw(`${target}/api/auth/${path}`, { email }, headers)
      expect(answer).toMatch(/^200 /)
      expect(answer).not.toContain(evil)
    }

    await expect.poll(() => mailsTo(service, email).length).toBe(2)
    for (const { text: words } of mailsTo(service, email)) {
      expect(words).toContain(`${baseUrl}/`)
      expect(words).not.toContain(evil)
    }
  })
})
