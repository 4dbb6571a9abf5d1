import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { decide, redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor, signUp } from '../support/visitor.ts'

const service = await startServiceForFile()

describe('P-18 an application on a device', () => {
  const scheme = 'com.example.weather:/callback'
  const registering = registerClient(service, {
    tokenEndpointAuthMethod: 'none',
    redirectUris: [redirectUri, scheme, 'https://app.example.com/callback'],
  })
  const deviceClient = async () => createBareClient(service, await registering)
  /** Somebody who has allowed what it asks. */
  async function known() {
    const { visitor, ...person } = await signUp(service)
    await (await deviceClient()).codeFor(visitor)
    return { visitor, ...person }
  }

  test.each([
    ['where it listened before', redirectUri],
    ['where another program may listen', redirectUri.replace('4999', '6666')],
    ['at its scheme, which another program may take', scheme],
  ])('gets no code without a question %s', async (_, redirect_uri) => {
    const app = await deviceClient()
    const { visitor } = await known()
    const { path, verifier } = app.begin({ redirect_uri })
    const sight = await visitor.open(path)
    expect(sight.at).toMatch(/^\/consent\?/)
    const code = new URL((await decide(visitor, sight, 'allow')).at).searchParams.get('code') ?? ''
    expect((await app.redeem({ code, verifier }, { redirect_uri }, { auth: 'none' })).status).toBe(200)

    for (const prompt of ['none', 'none ']) {
      const silent = new URL((await visitor.open(app.begin({ redirect_uri, prompt, state: 'a state' }).path)).at)
      expect(silent.href.startsWith(redirect_uri)).toBe(true)
      expect(Object.fromEntries(silent.searchParams)).toEqual({
        error: 'consent_required',
        state: 'a state',
        iss: `${service.baseUrl}/api/auth`,
      })
    }
  })

  test('is told when nobody is signed in, or not for it', async () => {
    const app = await deviceClient()
    const { visitor } = await known()
    for (const [who, more] of [
      [createVisitor(service), {}],
      [visitor, { max_age: '0' }],
    ] as const) {
      const { at } = await who.open(app.begin({ prompt: 'none', ...more }).path)
      expect(new URL(at).searchParams.get('error')).toBe('login_required')
    }
    const unmarked = await visitor.open(app.begin({ prompt: 'none', state: undefined }).path)
    expect(new URL(unmarked.at).searchParams.has('state')).toBe(false)
    const { at } = await visitor.open(app.begin({ prompt: 'none', redirect_uri: 'http://127.0.0.1:4999/evil' }).path)
    expect(at).toMatch(/^\/error\?/)
  })

  test('is asked for by who signs in on the way, too', async () => {
    const app = await deviceClient()
    const { visitor, email } = await known()
    for (const prompt of [undefined, 'login', 'select_account', 'create']) {
      visitor.cookies.clear()
      const { at } = await visitor.open(app.begin({ prompt }).path)
      const sight = await visitor.submit('/sign-in', { email, password, oauth_query: at.slice(at.indexOf('?') + 1) })
      expect([prompt, sight.at]).toEqual([prompt, expect.stringMatching(/^\/consent\?/)])
    }
  })

  test('may ask for more than that', async () => {
    const app = await deviceClient()
    const { visitor } = await known()
    const { path } = app.begin({ prompt: 'login' })
    expect((await visitor.open(path)).at).toMatch(/^\/sign-in\?/)
    expect((await visitor.open(`${path}&prompt=none`)).at).toContain('error=invalid_request')
  })

  test('is one whose address is on no device, where another cannot be', async () => {
    const app = await deviceClient()
    const { visitor } = await known()
    const { at } = await visitor.open(app.begin({ redirect_uri: 'https://app.example.com/callback' }).path)
    expect(at).toMatch(/^https:\/\/app\.example\.com\/callback\?code=/)
  })
})
