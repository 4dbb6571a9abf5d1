import { describe, expect, onTestFinished, test } from 'vitest'
import { newAddress, proxied } from '../support/addresses.ts'
import { basic, createBareClient, type Fields, type Reply, refusalOf, tokensIn } from '../support/bare-client.ts'
import { startService, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile({ env: { ...proxied, RATE_LIMIT: '6000' } })
const client = createBareClient(service, await registerClient(service))
const other = createBareClient(service, await registerClient(service))
const machine = createBareClient(service, await registerClient(service, { clientCredentialsScopes: ['users:read'] }))
const device = createBareClient(service, await registerClient(service, { tokenEndpointAuthMethod: 'none' }))

const perClient = 20
const perAddress = 60
const guess = 'x'.repeat(43)

type Way = (address: string, id: string) => Promise<Reply>

const send = (endpoint: string, address: string, fields: Fields, headers: Record<string, string> = {}) =>
  client.send(endpoint, fields, { auth: 'none', headers: { 'x-forwarded-for': address, ...headers } })

/** What a client asks that has its secret wrong. */
const guesses: [string, Way][] = [
  [
    'a secret in the header',
    (address, id) => send('token', address, { grant_type: 'client_credentials' }, { authorization: basic(id, guess) }),
  ],
  [
    'a secret in the form',
    (address, id) => send('token', address, { grant_type: 'client_credentials', client_id: id, client_secret: guess }),
  ],
  [
    'introspection',
    (address, id) => send('introspect', address, { token: guess }, { authorization: basic(id, guess) }),
  ],
  ['revocation', (address, id) => send('revoke', address, { token: guess }, { authorization: basic(id, guess) })],
]

const guessToken: Way = (address, id) =>
  send('token', address, { grant_type: 'refresh_token', client_id: id, refresh_token: guess })

async function repeat(times: number, way: () => Promise<Reply>): Promise<unknown[]> {
  const refusals = []
  for (let i = 0; i < times; i++) refusals.push(refusalOf(await way()))
  return [...new Set(refusals.map((refusal) => JSON.stringify(refusal)))].map((text) => JSON.parse(text) as unknown)
}

/** What a machine is given that proves itself, from an address. */
const proven = async (address: string, who = machine) =>
  (await who.send('token', { grant_type: 'client_credentials' }, { headers: { 'x-forwarded-for': address } })).status

const tooMany = [429, 'temporarily_unavailable']

describe('B-11 a client that cannot prove itself', () => {
  test.each(guesses)('is refused for a minute after so many tries, with %s', async (_, way) => {
    const address = newAddress()
    expect(await repeat(perClient, () => way(address, machine.id))).toEqual([[401, 'invalid_client']])

    const refused = await way(address, machine.id)
    expect(refusalOf(refused)).toEqual(tooMany)
    expect(Object.keys(refused.body).toSorted()).toEqual(['error', 'error_description'])
    expect(refused.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/)
    expect(refused.headers.get('ratelimit-policy')).toBe('"client-failures";q=20;w=60')
    expect(refused.headers.get('cache-control')).toBe('no-store')
    // With its secret it is not told either whether that is right.
    expect(await proven(address)).toBe(429)
    expect(await proven(newAddress())).toBe(200)
  })

  test('has the same tries at all endpoints together', async () => {
    const address = newAddress()
    for (const [, way] of guesses) await repeat(perClient / guesses.length, () => way(address, client.id))
    for (const [, way] of guesses) expect(refusalOf(await way(address, client.id))).toEqual(tooMany)
  })

  test('has them whether it exists or not', async () => {
    const address = newAddress()
    const [, way] = guesses[1] ?? [undefined, guessToken]
    const id = `no client ${'of a long name '.repeat(20)}`
    expect(await repeat(perClient, () => way(address, id))).toEqual([[401, 'invalid_client']])
    expect(refusalOf(await way(address, id))).toEqual(tooMany)
  })

  test('gets no more of them by trying many at once', async () => {
    const address = newAddress()
    const [, way] = guesses[0] ?? [undefined, guessToken]
    const replies = await Promise.all(Array.from({ length: 50 }, () => way(address, machine.id)))
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(perClient)
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(50 - perClient)
  })

  test('keeps no other client of its address from its tokens, and itself nowhere else', async () => {
    const address = newAddress()
    const [, way] = guesses[0] ?? [undefined, guessToken]
    await repeat(perClient + 1, () => way(address, client.id))
    expect(refusalOf(await way(address, client.id))).toEqual(tooMany)

    expect(await proven(address)).toBe(200)
    expect(refusalOf(await way(newAddress(), client.id))).toEqual([401, 'invalid_client'])
    const headers = { 'x-forwarded-for': newAddress() }
    expect((await client.introspect('x', { headers })).body).toEqual({ active: false })
  })
})

describe('B-11 an address at which many clients fail', () => {
  test('is refused, whichever client it names next', async () => {
    const address = newAddress()
    const [, way] = guesses[0] ?? [undefined, guessToken]
    for (let i = 0; i < perAddress; i++)
      expect(refusalOf(await way(address, `client ${i}`))).toEqual([401, 'invalid_client'])

    const refused = await way(address, 'another')
    expect(refusalOf(refused)).toEqual(tooMany)
    expect(refused.headers.get('ratelimit-policy')).toBe('"address-failures";q=60;w=60')
    expect(await proven(address)).toBe(429)
    expect(await proven(newAddress())).toBe(200)
  })

  test('is refused for its /48 after four times as many, B-04', async () => {
    const [, way] = guesses[0] ?? [undefined, guessToken]
    for (let block = 0; block < 4; block++)
      for (let i = 0; i < perClient; i++) await way(`2001:db8:11:${block}::${i}`, machine.id)
    expect(await proven('2001:db8:11:4::1')).toBe(429)
    expect(await proven('2001:db8:12::1')).toBe(200)
  }, 30_000)
})

describe('B-11 a refresh token, or a code,', () => {
  test.each<[string, Fields, Record<string, string>]>([
    ['in the form', { client_secret: '' }, {}],
    ['in the header', {}, { authorization: '' }],
  ])('is not guessed with an empty secret %s', async (_, blank, headers) => {
    const address = newAddress()
    const fields = { grant_type: 'refresh_token', client_id: device.id, refresh_token: guess, ...blank }
    await repeat(perClient, () => send('token', address, fields, headers))
    expect(refusalOf(await send('token', address, fields, headers))).toEqual(tooMany)
  })

  test('is not guessed by who needs no secret', async () => {
    const address = newAddress()
    expect(await repeat(perClient, () => guessToken(address, device.id))).toEqual([[400, 'invalid_grant']])
    expect(refusalOf(await guessToken(address, device.id))).toEqual(tooMany)

    // Many people of one application may be at an address.
    const { refresh_token } = tokensIn(
      await device.redeem(
        await device.codeFor(createVisitor(service, (await service.createSignedIn()).cookie)),
        {},
        {
          auth: 'none',
          headers: { 'x-forwarded-for': address },
        },
      ),
    )
    const headers = { 'x-forwarded-for': address }
    expect((await device.refresh(refresh_token, {}, { auth: 'none', headers })).status).toBe(200)

    const codes = newAddress()
    const byCode = () =>
      send('token', codes, {
        grant_type: 'authorization_code',
        client_id: device.id,
        code: guess,
        code_verifier: guess,
        redirect_uri: 'http://127.0.0.1:4999/callback',
      })
    const [refusal] = await repeat(perClient, byCode)
    expect(refusal).toEqual([400, 'invalid_grant'])
    expect(refusalOf(await byCode())).toEqual(tooMany)
  })

  test('is not guessed by who asks for something else', async () => {
    const address = newAddress()
    const refusals = await repeat(perClient + 5, () =>
      send('token', address, { client_id: device.id, grant_type: 'x' }),
    )
    expect(refusals).toEqual([[400, 'unsupported_grant_type']])
  })

  test('that is over is no failure of a client that has proven itself', async () => {
    const address = newAddress()
    const headers = { 'x-forwarded-for': address }
    const refusals = await repeat(perClient + 5, () => client.refresh(guess, {}, { headers }))
    expect(refusals).toEqual([[400, 'invalid_grant']])
    const tokens = await client.tokensFor(await service.createSignedIn())
    const next = tokensIn(await client.refresh(tokens.refresh_token, {}, { headers }))
    expect((await other.introspect(next.access_token, { headers })).body).toEqual({ active: false })
  })
})

test('B-11 who scans by introspection is held to a tenth of all requests, told in the form of OAuth', async () => {
  const few = await startService({ env: { ...proxied, RATE_LIMIT: '100' } })
  onTestFinished(few.stop)
  const own = createBareClient(few, await registerClient(few))
  const headers = { 'x-forwarded-for': newAddress() }
  for (let i = 0; i < 10; i++)
    expect((await own.introspect(`${guess}${i}`, { headers })).body).toEqual({ active: false })

  const refused = await own.introspect(guess, { headers })
  expect(refusalOf(refused)).toEqual(tooMany)
  expect(refused.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/)
})

test('B-11 device authorization is not offered, so there is no user code to guess', async () => {
  for (const path of ['oauth2/device', 'oauth2/device_authorization', 'device/code', 'device/token', 'device']) {
    const response = await service.request(`/api/auth/${path}`, { json: {}, headers: { origin: service.baseUrl } })
    expect([path, response.status]).toEqual([path, 404])
  }
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  expect(refusalOf(await machine.send('token', { grant_type }))).toEqual([400, 'unsupported_grant_type'])
})
