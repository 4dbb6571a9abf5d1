import { APIError } from 'better-auth/api'
import { expect, test } from 'vitest'
import { guardEndSession } from '../../src/auth/oauth/logout.ts'

// What the provider answers to a request to sign somebody out, and where that leads.

interface Led {
  response: Response
  headers: Headers
}

/** What comes of an answer of the provider, or of what it throws. */
function led(answer: () => { response: unknown; headers?: Headers }): Promise<Led> {
  const guarded = guardEndSession((_context: object) => Promise.resolve().then(answer))
  return guarded({ headers: new Headers() }) as unknown as Promise<Led>
}

const page = (status: number, ...cookies: string[]) => {
  const headers = new Headers(cookies.map((cookie) => ['set-cookie', cookie]))
  return led(() => ({ response: new Response('<p>', { status }), headers }))
}
const asks = (confirmation: object) =>
  page(
    200,
    'a=1',
    `p.oauth_logout_confirmation=${encodeURIComponent(JSON.stringify(confirmation))}.c2ln; Path=/`,
    'b=2',
  )
const places = ({ response, headers }: Led) => [response.status, headers.get('location'), headers.getSetCookie()]

test('what is no page is left as it is', async () => {
  const answer = { response: { ok: true } }
  expect(await led(() => answer)).toBe(answer)
})

test('what the provider does not like leads to the page that says so', async () => {
  const error = '/error?error=invalid_logout'
  expect(places(await page(400, 'a=1'))).toEqual([303, error, ['a=1']])
  for (const status of ['BAD_REQUEST', 'UNAUTHORIZED'] as const) {
    expect(places(await led(() => Promise.reject(new APIError(status)) as never))).toEqual([303, error, []])
  }
})

test('what fails is none of these', async () => {
  for (const failure of [new APIError('INTERNAL_SERVER_ERROR'), new APIError('FOUND'), new Error('gone')]) {
    await expect(led(() => Promise.reject(failure) as never)).rejects.toBe(failure)
  }
})

test('who is signed out is told so', async () => {
  const removed = 'p.oauth_logout_confirmation=; Max-Age=0'
  expect(places(await page(302, 'session=; Max-Age=0', removed))).toEqual([
    303,
    '/sign-in?notice=signed-out',
    ['session=; Max-Age=0'],
  ])
})

test('who is to be asked is asked by our page, which is told where they are to go then', async () => {
  const to = { clientId: 'c', postLogoutRedirectUri: 'https://a.example/bye?x=1' }
  const query = 'client_id=c&post_logout_redirect_uri=https%3A%2F%2Fa.example%2Fbye%3Fx%3D1'

  expect(places(await asks(to))).toEqual([303, `/sign-out?${query}`, ['a=1', 'b=2']])
  expect((await asks({ ...to, state: 's' })).headers.get('location')).toBe(`/sign-out?${query}&state=s`)
  for (const part of [{}, { clientId: 'c' }, { postLogoutRedirectUri: 'https://a.example/bye' }]) {
    expect((await asks(part)).headers.get('location')).toBe('/sign-out')
  }
})
