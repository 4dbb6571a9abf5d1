import {
  anonymous,
  deviceAuthorization,
  emailOTP,
  magicLink,
  multiSession,
  oAuthProxy,
  oauthPopup,
  oneTap,
  oneTimeToken,
  organization,
  phoneNumber,
  siwe,
  twoFactor,
  username,
} from 'better-auth/plugins'
import { describe, expect, test } from 'vitest'
import { type Decision, decisions, endpointsThatAre } from '../support/auth-endpoints.ts'
import { startServiceForFile } from '../support/harness.ts'

// A provider of each kind, as some bring a plugin along.
const service = await startServiceForFile({
  env: {
    GOOGLE_CLIENT_ID: 'id',
    GOOGLE_CLIENT_SECRET: 'key',
    OIDC_ISSUER: 'http://127.0.0.1:1',
    OIDC_CLIENT_ID: 'id',
    OIDC_CLIENT_SECRET: 'key',
  },
})
const admin = await service.createSignedIn('admin')

interface Endpoint {
  path?: string
  options?: { method?: string | string[] }
}

/** Each method and address of some endpoints; those without one are for calls within the process. */
function addresses(endpoints: object): [method: string, path: string][] {
  return (Object.values(endpoints) as Endpoint[]).flatMap(({ path, options }) =>
    path === undefined ? [] : [options?.method ?? []].flat().map((method) => [method, path] as [string, string]),
  )
}

async function answer(method: string, path: string, signedIn = false) {
  const response = await service.request(`/api/auth${path.replaceAll(/:\w+/g, 'nothing')}`, {
    method,
    ...(method === 'POST' && { json: {}, headers: { origin: service.baseUrl } }),
    ...(signedIn && { cookie: admin.cookie }),
  })
  return { status: response.status, body: await response.text() }
}

/**
 * Which of some addresses lead to something, for strangers or an admin, and what. Methods other than GET and POST lead to
 * no endpoint at all.
 */
async function foundAt(all: [method: string, path: string][]): Promise<string[]> {
  const found: string[] = []
  for (const [method, path] of all) {
    const nothing = ['GET', 'POST'].includes(method) ? '404 NOT_FOUND' : '405 METHOD_NOT_ALLOWED'
    for (const signedIn of [false, true]) {
      const { status, body } = await answer(method, path, signedIn)
      const code = /"code":"(\w+)"/.exec(body)?.[1]
      if (`${status} ${code}` !== nothing) found.push(`${method} ${path}: ${status} ${body}`)
    }
  }
  return found
}

test('E-20 every endpoint of Better-Auth and its plugins was decided on, and no other', () => {
  const decided = (Object.keys(decisions) as Decision[]).flatMap((decision) => endpointsThatAre(decision))
  const spelt = (all: [string, string][]) => all.map((each) => each.join(' ')).toSorted()
  expect(spelt(addresses(service.services.auth.api))).toEqual(spelt(decided))
})

test.each([...endpointsThatAre('served'), ...endpointsThatAre('replaced')])(
  'E-20 %s %s answers',
  async (method, path) => {
    const { status } = await answer(method, path)
    expect([404, 405]).not.toContain(status)
    expect(status).toBeLessThan(500)
  },
)

test.each(endpointsThatAre('refused'))('E-20 %s %s does nothing for anybody', async (method, path) => {
  expect([400, 405]).toContain((await answer(method, path, true)).status)
})

describe.each([...endpointsThatAre('disabled'), ...endpointsThatAre('internal')])('E-20 %s %s', (method, path) => {
  test('is not there', async () => {
    expect(await foundAt([[method, path]])).toEqual([])
  })

  test.each([
    `${path}/`,
    `/${path}`,
    path.replace(/\w(?=\w*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    path.toUpperCase(),
  ])('nor is it at %s', async (other) => {
    expect(await foundAt([[method, other]])).toEqual([])
  })
})

const nothing = async () => undefined as never
const absent = [
  anonymous(),
  deviceAuthorization(),
  emailOTP({ sendVerificationOTP: nothing }),
  magicLink({ sendMagicLink: nothing }),
  multiSession(),
  oAuthProxy(),
  oauthPopup(),
  oneTap(),
  oneTimeToken(),
  organization({ teams: { enabled: true } }),
  phoneNumber({ sendOTP: nothing }),
  siwe({ domain: 'example.com', getNonce: nothing, verifyMessage: nothing }),
  twoFactor(),
  username(),
]

describe('E-20 of a plugin that is not in use there is nothing', () => {
  test.each(absent)('$id', async ({ endpoints }) => {
    const found = addresses(endpoints)
    expect(found.length).toBeGreaterThan(0)
    expect(await foundAt(found)).toEqual([])
  })

  // These are packages of their own, which are not installed.
  test.each([
    ['api-key', 'create', 'get', 'list', 'update', 'delete', 'verify', 'delete-all-expired-api-keys'],
    [
      'passkey',
      'generate-register-options',
      'generate-authenticate-options',
      'verify-registration',
      'list-user-passkeys',
    ],
    ['sso', 'register', 'callback/nothing', 'saml2/callback/nothing', 'saml2/sp/metadata', 'providers'],
    ['sign-in', 'sso', 'passkey', 'oauth2'],
    ['scim', 'generate-token', 'v2/Users', 'v2/ServiceProviderConfig'],
    ['mcp', 'register', 'authorize', 'token', 'get-session'],
    ['subscription', 'upgrade', 'cancel', 'billing-portal', 'success'],
    ['stripe', 'webhook'],
  ])('%s', async (folder, ...paths) => {
    const all = paths.flatMap((path) =>
      ['GET', 'POST'].map((method) => [method, `/${folder}/${path}`] as [string, string]),
    )
    expect(await foundAt(all)).toEqual([])
  })
})
