import { APIError } from 'better-auth/api'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { guardIntrospection, guardUserInfo } from '../../src/auth/oauth/endpoints.ts'
import { oauthRefusal } from '../../src/auth/oauth/forms.ts'
import { isRefusal } from '../../src/auth/oauth/transaction.ts'
import { ProblemError, type ProblemSlug } from '../../src/http/problem.ts'

// A client that is told that its token is no good throws it away: what fails here must not sound like it.

/** The endpoint of the provider about tokens that are none of ours, where it ends in an error. */
const failing = (error: unknown) => Object.assign(() => Promise.reject(error as Error), { options: {} })
const nobody = () => Promise.reject(new ProblemError('invalid-token'))
const context = { headers: new Headers({ authorization: 'Bearer opaque' }) }

const refused = new APIError('UNAUTHORIZED', { error: 'invalid_token' })
const failed = new APIError('INTERNAL_SERVER_ERROR', { error: 'server_error' })
const notProven = new APIError('UNAUTHORIZED', { error: 'invalid_client' })

describe('user information', () => {
  const ask = async (error: unknown) => {
    const endpoint = guardUserInfo(failing(error) as (given: object) => Promise<unknown>, nobody)
    return endpoint(context).catch((answer: unknown) => answer)
  }

  test.each([failed, new APIError('SERVICE_UNAVAILABLE'), new Error('the database is away')])(
    'that cannot be had is no fault of the token: %s',
    async (error) => {
      expect(await ask(error)).toBe(error)
    },
  )

  test.each([
    [refused, 401, 'invalid_token'],
    [new APIError('BAD_REQUEST', { error: 'invalid_request' }), 401, 'invalid_token'],
    [new APIError('BAD_REQUEST', { error: 'invalid_scope' }), 403, 'insufficient_scope'],
  ])('that is refused with %s is so with a challenge', async (error, statusCode, code) => {
    const headers = { 'www-authenticate': expect.stringMatching(`^Bearer error="${code}"`) as string }
    expect(await ask(error)).toMatchObject({ statusCode, body: { error: code }, headers })
  })
})

test('a token that cannot be judged now is not told to be over', async () => {
  const outage = new ProblemError('dependency-unavailable')
  const inactive = { response: { active: false } }
  const asked = Object.assign(() => Promise.resolve<object>(inactive), { options: {} }) as (
    given: object,
  ) => Promise<object>
  const judged = (error: ProblemError) =>
    guardIntrospection(asked, () => Promise.reject(error))({ body: { token: 'a.b.c' } })

  await expect(judged(outage)).rejects.toBe(outage)
  expect(await judged(new ProblemError('invalid-token'))).toBe(inactive)
})

test.each([
  ['a request that is refused', refused, true],
  ['a client that is not proven', notProven, false],
  ['a failure of the provider', failed, false],
  ['a failure of ours', new Error('no'), false],
])('what is written beside %s is kept: that is %s', (_, error, kept) => {
  expect(isRefusal(error)).toBe(kept)
})

test.each<[ProblemSlug, number, string]>([
  ['rate-limited', 429, 'temporarily_unavailable'],
  ['dependency-unavailable', 503, 'temporarily_unavailable'],
  ['internal', 500, 'server_error'],
  ['payload-too-large', 413, 'invalid_request'],
])('clients are told in the words of OAuth that it is %s', async (slug, status, error) => {
  const app = new Hono().get('/', (c) => oauthRefusal(c, new ProblemError(slug)))
  const response = await app.request('/')
  expect([response.status, response.headers.get('cache-control')]).toEqual([status, 'no-store'])
  expect(await response.json()).toMatchObject({ error })
})
