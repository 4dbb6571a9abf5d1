import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'

const trusted = 'https://app.example.com'
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted } })
const { request, baseUrl, db } = service

async function asked(headers: Record<string, string>) {
  const { email, id } = await service.createUser()
  const response = await request('/api/auth/request-password-reset', { json: { email }, headers })
  const links = await db.selectFrom('verification').select('id').where('value', '=', id).execute()
  return [response.status, links.length]
}

describe('S-14 a page that sends no cookie', () => {
  test.each<Record<string, string>>([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${trusted}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site', referer: 'https://evil.example/' },
  ])('has nothing done for it from elsewhere: %o', async (headers) => {
    expect(await asked(headers)).toEqual([403, 0])
  })

  test.each<[string, Record<string, string>]>([
    ['this service', { origin: baseUrl }],
    ['a trusted origin', { origin: trusted, 'sec-fetch-site': 'cross-site' }],
    ['a program', {}],
  ])('is heard from %s', async (_where, headers) => {
    expect(await asked(headers)).toEqual([200, 1])
  })

  test('is of an application that any origin may have, where clients prove themselves', async () => {
    const response = await request('/api/auth/oauth2/introspect', {
      method: 'POST',
      body: 'token=x&client_id=x&client_secret=x',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://spa.example' },
    })
    expect([response.status, await response.json()]).toMatchObject([401, { error: 'invalid_client' }])
  })
})
