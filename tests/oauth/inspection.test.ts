import { describe, expect, test } from 'vitest'
import { createBareClient, good, over, refusalOf, tokensIn, useOf, userInfo } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const client = createBareClient(service, await registerClient(service))

describe('P-22 giving a token back', () => {
  test('that was used before takes along what came of it', async () => {
    const first = await client.tokensFor(await service.createSignedIn())
    const second = tokensIn(await client.refresh(first.refresh_token))
    expect(await useOf(service, client, second)).toEqual(good)

    expect((await client.revoke(first.refresh_token)).status).toBe(200)

    expect(await useOf(service, client, second)).toEqual(over)
  })

  test('is refused, and ends nothing, where it cannot be told who asks', async () => {
    const tokens = await client.tokensFor(await service.createSignedIn())
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      const inTwoWays = { token, client_id: client.id, client_secret: 'x' }
      expect(refusalOf(await client.send('revoke', inTwoWays))).toEqual([400, 'invalid_request'])
      const byNobody = await client.send('revoke', { token, client_id: undefined }, { auth: 'none' })
      expect(byNobody).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    }
    expect(await useOf(service, client, tokens)).toEqual(good)
  })
})

test('P-23 user information wants the scope openid of an opaque token, too', async () => {
  const { access_token } = await client.tokensFor(await service.createSignedIn(), { scope: 'email' })
  expect(access_token).not.toContain('.')
  expect(refusalOf(await userInfo(service, access_token))).toEqual([403, 'insufficient_scope'])
})
