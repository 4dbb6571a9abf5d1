import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { createBanNotices } from '../../src/auth/ban-notice.ts'

const key = randomBytes(32)
const valueIn = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1, cookie.indexOf(';'))

test.each([
  { reason: 'Spam', expires: new Date('2099-01-31T12:00:00Z') },
  { reason: null, expires: null },
])('a notice says why and until when: %j', async (ban) => {
  const notices = createBanNotices(key, true)
  expect(await notices.open(valueIn(await notices.cookieFor(ban)))).toEqual(ban)
})

test.each([true, false])('the cookie is for the page of errors alone (secure: %s)', async (secure) => {
  const notices = createBanNotices(key, secure)
  const [pair = '', ...attributes] = (await notices.cookieFor({ reason: null, expires: null })).split('; ')
  // No page at plain http can set one of that name.
  expect(pair.split('=')[0]).toBe(secure ? '__Secure-latchkey.ban' : 'latchkey.ban')
  expect(notices.cookieName).toBe(pair.split('=')[0])
  expect(attributes).toEqual(['Max-Age=300', 'Path=/error', 'HttpOnly', 'SameSite=Lax', ...(secure ? ['Secure'] : [])])
})

test.each<[string, () => string | undefined | Promise<string>]>([
  ['nothing', () => undefined],
  ['garbage', () => 'x.y.z'],
  ['one of another key', async () => valueIn(await createBanNotices(randomBytes(32), false).cookieFor(none))],
  ['one of long ago', () => signed({ exp: Math.floor(Date.now() / 1_000) - 60 })],
  ['one without an end', () => signed({})],
])('%s is no notice', async (_what, make) => {
  expect(await createBanNotices(key, false).open(await make())).toBeUndefined()
})

const none = { reason: null, expires: null }

function signed(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT({ ...none, ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(key)
}
