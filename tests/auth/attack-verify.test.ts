import { describe, expect, onTestFinished, test } from 'vitest'
import { startService, startServiceForFile } from '../support/harness.ts'
import { createTokenProbe, inactive, verdictOf } from '../support/token-probe.ts'

const service = await startServiceForFile()
const { request } = service
const asker = await service.createSignedIn()
const { inBody } = createTokenProbe(service, asker)

describe('J-43 POST /auth/verify', () => {
  test('says the same of whatever is no good, and why not to nobody', async () => {
    const [banned, gone, out] = [
      await service.createSignedIn(),
      await service.createSignedIn(),
      await service.createSignedIn(),
    ]
    for (const { token, id } of [banned, gone, out]) expect(await inBody(token)).toBe(id)
    await service.db.updateTable('user').set({ banned: true }).where('id', '=', banned.id).execute()
    await service.db.deleteFrom('user').where('id', '=', gone.id).execute()
    await service.db.deleteFrom('session').where('id', '=', out.sessionId).execute()

    for (const token of [banned.token, gone.token, out.token, 'garbage', `${asker.token}x`]) {
      expect(await inBody(token)).toBe(inactive)
    }
  })

  test('asks for a good credential itself, even about a good token', async () => {
    const verify = async (token: string | undefined) =>
      verdictOf(
        await request('/api/v1/auth/verify', { json: { token: asker.token }, ...(token !== undefined && { token }) }),
      )
    expect(await verify(undefined)).toBe('401 unauthenticated Bearer')
    expect(await verify('x')).toBe('401 invalid-token Bearer error="invalid_token"')
    expect(await verify(asker.token)).toBe(asker.id)
  })

  test('is counted against the limit of the address, whatever it is asked about', async () => {
    const limited = await startService({ env: { RATE_LIMIT: '6' } })
    onTestFinished(limited.stop)
    // One is for the token.
    const { token } = await limited.createSignedIn()
    const asked = []
    for (let i = 0; i < 6; i++)
      asked.push(await limited.request('/api/v1/auth/verify', { token, json: { token: 'x' } }))

    expect(asked.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429])
  })
})
