import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { problemTypes } from '../../src/http/problem.ts'
import { startServiceForFile } from '../support/harness.ts'
import { problemOf } from '../support/wire.ts'

const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: 'https://app.example.com' } })
const { request } = service

describe('what does not exist', () => {
  test.each([
    '/nothing',
    '/api/v1/nothing',
    '/api/v1',
    '/api/v1/users/me/nothing',
    '/problems/nothing',
    '/problems',
    '/.env',
  ])('answers 404 at %s', async (path) => {
    expect(await problemOf(await request(path))).toEqual({ status: 404, slug: 'not-found', at: [] })
  })

  test.each(['', 'callback/', 'reset-password/'])(
    'answers 404 at a path under /api/auth/%s that is too long',
    async (at) => {
      const path = randomBytes(3_000).toString('hex')
      expect((await request(`/api/auth/${at}${path}?callbackURL=/x`)).status).toBe(404)
    },
  )

  test('answers 404 under /api/auth in Better-Auth’s way', async () => {
    const response = await request('/api/auth/nothing')
    expect(response.status).toBe(404)
  })
})

describe('pages', () => {
  test.each(Object.entries(problemTypes))('/problems/%s explains it', async (slug, { title, explanation, status }) => {
    const response = await request(`/problems/${slug}`)
    const page = (await response.text()).replaceAll('&quot;', '"').replaceAll('&#39;', "'")

    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8'])
    for (const part of [`<title>${title} · Latchkey</title>`, title, explanation, slug, String(status)])
      expect(page).toContain(part)
  })

  test('/ leads to sign-in', async () => {
    const response = await request('/')
    expect([response.status, response.headers.get('location')]).toEqual([303, '/sign-in'])
  })

  test.each(['/health', '/health/db', '/health/ready'])('%s answers ok and is not kept', async (path) => {
    const response = await request(path)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(await response.json()).toEqual({ status: 'ok' })
  })
})
