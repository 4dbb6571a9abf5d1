import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors } from '../support/doors.ts'
import { password, type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { registerClient } from '../support/relying-party.ts'

const device = 'com.example.weather:/callback'
const service = await startServiceForFile()
const { request, baseUrl } = service
// While there is no admin.
const setupToken = /\/setup\?token=([\w-]+)/.exec(service.logLines().join('\n'))?.[1] ?? ''

interface Asked extends RequestOptions {
  status?: number
  /** Where forms of the page may lead besides the service. */
  leads?: string[]
}

const html = { accept: 'text/html' }

function posted(fields: Record<string, string>, cookie?: string): RequestOptions {
  const headers = { ...html, origin: baseUrl, 'content-type': 'application/x-www-form-urlencoded' }
  return {
    method: 'POST',
    body: new URLSearchParams(fields).toString(),
    headers,
    ...(cookie !== undefined && { cookie }),
  }
}

/** A page on which nothing runs, as it came. */
async function pageAt(path: string, { status = 200, leads = [], ...options }: Asked = {}): Promise<string> {
  const response = await request(path, { headers: html, ...options })
  const text = await response.text()

  expect([path, response.status]).toEqual([path, status])
  const form = ["'self'", ...leads].join(' ')
  expect(response.headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'self'; img-src 'self'; form-action ${form}; frame-ancestors 'none'; base-uri 'none'`,
  )
  expect(text).toMatch(/^<!doctype html>/i)
  expect(text).not.toMatch(/<(?:script|style|iframe|object|embed|base)\b/i)
  expect(text).not.toMatch(/<[^>]*\s(?:on\w+|style|srcdoc)\s*=/i)
  // Nor is anything loaded from elsewhere.
  expect(text).not.toMatch(/<(?:link|img|form|input|button)[^>]*\s(?:src|href|action|formaction)="(?!\/(?!\/))/i)
  return text
}

describe('H-06 no script, frame or foreign form is on the page', () => {
  test('that makes the first administrator', async () => {
    expect(await pageAt(`/setup?token=${setupToken}`)).toMatch(/action="\/setup".*name="token"/s)
    const wrong = posted({ token: setupToken, name: '<script>', email: '"><img src=x>', password: 'x' })
    expect(await pageAt('/setup', wrong)).toContain('&lt;script&gt;')
  })

  test.each(['user', 'admin'])('of the account of somebody who is %s, and what it says of a mistake', async (role) => {
    const { cookie } = await (await createDoors(service)).createMember(role)
    expect(await pageAt('/account', { cookie })).toContain('action="/account/profile"')
    const name = '"><script>alert(1)</script>'.repeat(20)
    expect(await pageAt('/account/profile', posted({ name }, cookie))).toContain('&lt;script&gt;')
  })

  test.each([
    ['/reset-password', '/request-password-reset', /action="\/reset-password".*name="newPassword"/s],
    ['/verify-email', '/send-verification-email', /action="\/verify-email"/],
  ])('to which a mailed link leads: %s', async (path, endpoint, shows) => {
    const { email } = await service.createUser({ emailVerified: false })
    await request(`/api/auth${endpoint}`, { json: { email }, headers: { origin: baseUrl } })
    const token = mailedToken(service, email)
    expect(token).not.toBe('')
    expect(await pageAt(`${path}?token=${token}`)).toMatch(shows)
  })

  test('of a sign-in, with what was typed, and of what is not there', async () => {
    const typed = posted({ email: '"><script>alert(1)</script>', password })
    expect(await pageAt('/sign-in?next=javascript:alert(1)')).toContain('action="/sign-in"')
    expect(await pageAt('/sign-in', typed)).toContain('&lt;script&gt;')
    expect(await pageAt('/%3Cscript%3E', { status: 404 })).toContain('nothing at this address')
  })
})

describe('H-06 a form leads only to the application', () => {
  test('that asks for consent, and the page that leads there runs nothing', async () => {
    const client = createBareClient(service, await registerClient(service))
    const { cookie } = await service.createSignedIn()
    const asked = await request(client.begin().path, { cookie, headers: html })
    const path = asked.headers.get('location')?.replace(baseUrl, '') ?? ''

    const text = await pageAt(path, { cookie })
    expect(text).toMatch(/action="\/consent".*name="oauth_query"/s)
    const user = /name="user" value="([^"]*)"/.exec(text)?.[1] ?? ''
    const fields = { oauth_query: path.slice(path.indexOf('?') + 1), user, decision: 'allow' }
    expect(await pageAt('/consent', posted(fields, cookie))).toMatch(/http-equiv="refresh".*One moment/s)
  })

  test('on a device, where one signs out, and nowhere else for who names another', async () => {
    const values = { redirectUris: [device], postLogoutRedirectUris: [device], tokenEndpointAuthMethod: 'none' }
    const { id } = await registerClient(service, values)
    const { cookie } = await service.createSignedIn()
    const to = (uri: string) =>
      `/sign-out?${new URLSearchParams({ client_id: id, post_logout_redirect_uri: uri }).toString()}`

    expect(await pageAt(to(device), { cookie, leads: ['com.example.weather:'] })).toContain('action="/sign-out"')
    for (const uri of ['com.example.evil:/callback', 'https://evil.example', "x:;script-src 'unsafe-inline'"])
      expect(await pageAt(to(uri), { cookie })).toContain('action="/sign-out"')
  })
})
