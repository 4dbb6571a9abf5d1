import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { request } = service
const admin = await service.createSignedIn('admin')
const origin = { origin: service.baseUrl }

describe('J-22, S-07 a session token with our signature', () => {
  const value = decodeURIComponent(admin.cookie.slice(admin.cookie.indexOf('=') + 1))
  const { name } = service.services.sessionCookies
  const opened = async (options: object) => {
    const response = await request('/api/auth/get-session', options)
    return ((await response.json()) as { user: { id: string } } | null)?.user.id
  }
  const asCookie = (cookies: string) => opened({ headers: { cookie: cookies, ...origin } })
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  // The signature of 32 bytes leaves two bits of its last character unused.
  const twins = [1, 2, 3].map((bits) => {
    const last = alphabet.indexOf(value.at(-2) ?? '')
    return `${value.slice(0, -2)}${alphabet[last ^ bits] ?? ''}=`
  })

  test('opens its session, in a cookie and as a bearer token', async () => {
    expect(await asCookie(`a=b; ${name}=${encodeURIComponent(value)}; c=d`)).toBe(admin.id)
    expect(await opened({ token: value })).toBe(admin.id)
  })

  test.each(twins)('is another with other spare bits', async (twin) => {
    expect(await asCookie(`${name}=${encodeURIComponent(twin)}`)).toBeUndefined()
    expect(await opened({ token: twin })).toBeUndefined()
  })

  test('is another with an escape in it, where there is nothing to escape', async () => {
    expect(await opened({ token: encodeURIComponent(value) })).toBeUndefined()
    expect(await opened({ token: `%${value.charCodeAt(0).toString(16)}${value.slice(1)}` })).toBeUndefined()
  })

  test('is not looked for behind one that is no good', async () => {
    const good = `${name}=${encodeURIComponent(value)}`
    expect(await asCookie(`${name}=${encodeURIComponent(twins[0] ?? '')}; ${good}`)).toBeUndefined()
    expect(await asCookie(`${good}; ${name}=x.y`)).toBe(admin.id)
  })
})
