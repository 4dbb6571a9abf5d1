import { execFileSync } from 'node:child_process'
import { createCipheriv, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, open, openSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { forgedHeaders } from '../support/forged-tokens.ts'
import { startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { accepted, createTokenProbe, refused } from '../support/token-probe.ts'
import { attackerKey, frontEnd, hs256, type Members, sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile({
  env: frontEnd.env,
})
// Until then the database is asked each time.
await vi.waitUntil(() => service.services.authority.gauges().heartbeatAge < 2_000)
const user = await service.createSignedIn()
const key = await signingKeyOf(service)
const { everywhere } = createTokenProbe(service, await service.createSignedIn())
const claims = sessionClaims(service, user)

test('J-09 to J-20 the claims that are sent below open the account under a plain header', async () => {
  expect(await everywhere(signed(key, claims))).toEqual(accepted(user))
  expect(await everywhere(signed(key, claims, { more: 'x' }))).toEqual(accepted(user))
})

test.each(forgedHeaders({ service, user, key, sharedIssuer: frontEnd.issuer }))('%s', async (_name, token) => {
  expect(await everywhere(token)).toEqual(refused())
})

test('J-09 a kid that names a file has it opened by nobody', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'canary-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  // Who opens a pipe to read waits for a writer; who opens it to write without waiting is told whether anybody reads.
  const write = () => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)

  for (const kid of [pipe, `file://${pipe}`, `../../../../../..${pipe}`]) {
    for (const token of [signed(key, claims, { kid }), hs256('', claims, { kid })]) {
      expect(await everywhere(token)).toEqual(refused())
    }
  }
  expect(write).toThrow('ENXIO')

  const reading = promisify(open)(pipe, 'r')
  const writer = await vi.waitUntil(() => attempt(write))
  closeSync(writer)
  closeSync(await reading)
})

function attempt(work: () => number): number | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

describe('J-10 a kid', () => {
  test.each(["' OR '1'='1", "x'; select pg_sleep(5)--", '"; drop table jwks--', 'unknown'])(
    'of %s asks the database nothing',
    async (kid) => {
      const another = await service.createSignedIn()
      await everywhere(user.token)

      expect(await queriesOf(() => everywhere(signed(key, claims, { kid })))).toEqual([])

      expect(await queriesOf(() => everywhere(another.token))).not.toEqual([])
      expect(await everywhere(user.token)).toEqual(accepted(user))
    },
  )
})

test('J-14, J-15 keys and chains at an address are not fetched', async () => {
  let connections = 0
  const stranger = attackerKey(key.kid)
  const jwk = { kid: key.kid, alg: 'RS256', use: 'sig', ...stranger.publicKey.export({ format: 'jwk' }) }
  const canary = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })))
  canary.on('connection', () => connections++).listen(0, '127.0.0.1')
  onTestFinished(() => void canary.close())
  await once(canary, 'listening')
  const url = `http://127.0.0.1:${(canary.address() as AddressInfo).port}/jwks`
  const der = stranger.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const headers: Members[] = [{ jku: url }, { x5u: url }, { jku: url, x5u: url, x5c: [der] }]

  for (const header of headers.flatMap((of) => [of, { ...of, kid: randomUUID() }, { ...of, kid: url }])) {
    expect(await everywhere(signed(stranger, claims, header))).toEqual(refused())
  }
  for (const header of headers) {
    const withoutKid = sessionClaims(service, user, { iss: frontEnd.issuer, sid: undefined })
    expect(await everywhere(signed(stranger, withoutKid, { ...header, kid: undefined }))).toEqual(refused())
    expect(await everywhere(signed(key, claims, header))).toEqual(accepted(user))
  }
  expect(connections).toBe(0)

  expect((await fetch(url)).status).toBe(200)
  expect(connections).toBe(1)
})

test('J-15 a chain in the header brings no key', async () => {
  const stranger = attackerKey(key.kid)
  const x5c = [stranger.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')]
  expect(await everywhere(signed(stranger, claims, { x5c, 'x5t#S256': 'x' }))).toEqual(refused())
})

describe('J-20 an encrypted token', () => {
  const [contentKey, iv] = [randomBytes(32), randomBytes(12)]
  const base64url = (value: string | Buffer) => Buffer.from(value).toString('base64url')

  function jwe(header: Members, plaintext: Buffer): string {
    const protectedHeader = base64url(JSON.stringify(header))
    const cipher = createCipheriv('aes-256-gcm', contentKey, iv).setAAD(Buffer.from(protectedHeader))
    const text = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return [protectedHeader, '', base64url(iv), base64url(text), base64url(cipher.getAuthTag())].join('.')
  }

  const bomb = deflateRawSync(Buffer.alloc(4 * 1_024 * 1_024, 'x'))
  const pbes2 = { alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2s: 'c2FsdA', p2c: 2 ** 31 }

  test.each([
    ['of a key that both know', jwe({ alg: 'dir', enc: 'A256GCM', kid: key.kid }, Buffer.from(user.token))],
    ['that unpacks to megabytes', jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF', kid: key.kid }, bomb)],
    ['of a password hashed two milliard times', jwe({ ...pbes2, kid: key.kid }, Buffer.from(user.token))],
    ['that calls itself signed', jwe({ alg: key.alg, kid: key.kid }, Buffer.from(user.token))],
    ['in three parts', signed(key, claims, pbes2)],
  ])('%s is refused', async (_, token) => {
    expect(await everywhere(token)).toEqual(refused())
  })
})
