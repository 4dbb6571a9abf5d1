import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { JwtAlgorithm } from '../../src/auth/keys/signature.ts'
import { forgedSignatures } from '../support/forged-tokens.ts'
import { startServiceForFile, type TestService } from '../support/harness.ts'
import { accepted, createTokenProbe, refused } from '../support/token-probe.ts'
import {
  attackerKey,
  frontEnd,
  hs256,
  insertKey,
  type SigningKey,
  sessionClaims,
  signed,
  signingKeyOf,
} from '../support/tokens.ts'

const { env } = frontEnd
const algorithms: JwtAlgorithm[] = ['RS256', 'ES256', 'EdDSA']
const started: [JwtAlgorithm, TestService][] = []
for (const alg of algorithms) started.push([alg, await startServiceForFile({ env: { ...env, JWT_ALGORITHM: alg } })])

describe.each(started)('where the key is for %s', async (_, service) => {
  const user = await service.createSignedIn()
  const key = await signingKeyOf(service)
  const probe = createTokenProbe(service, await service.createSignedIn())

  test('J-01 to J-08 the claims that are forged below open the account with a good signature', async () => {
    const ofFrontEnd = sessionClaims(service, user, { iss: frontEnd.issuer, sid: undefined })
    for (const token of [user.token, signed(key, sessionClaims(service, user)), hs256(frontEnd.secret, ofFrontEnd)]) {
      expect(await probe.everywhere(token)).toEqual(accepted(user))
    }
  })

  test.each(forgedSignatures({ service, user, key, sharedIssuer: frontEnd.issuer }))('%s', async (_name, token) => {
    expect(await probe.everywhere(token)).toEqual(refused())
  })

  test('J-03 the shared secret signs for no key of ours, and no key of ours for the front end', async () => {
    const ofFrontEnd = sessionClaims(service, user, { iss: frontEnd.issuer, sid: undefined })
    for (const token of [
      hs256(frontEnd.secret, sessionClaims(service, user), { kid: key.kid }),
      hs256(frontEnd.secret, ofFrontEnd, { kid: key.kid }),
      signed(key, ofFrontEnd),
      signed(key, ofFrontEnd, { kid: undefined }),
    ]) {
      expect(await probe.everywhere(token)).toEqual(refused())
    }
  })
})

describe.each(started.slice(0, 1))('J-07 where the service signs with %s a key', (_, service) => {
  /** Publishes a key that does not sign yet, and tries a token of it whose header names `named`. */
  async function verdictsOn(key: SigningKey, alg: string | null, named: string) {
    await insertKey(service.db, key, { alg, active_at: new Date(Date.now() + 86_400_000) })
    const user = await service.createSignedIn()
    const token = signed(key, sessionClaims(service, user), { alg: named })
    const verdicts = await createTokenProbe(service, user).everywhere(token)
    return { verdicts, user }
  }

  const names = [...algorithms, 'RS512', 'HS256', 'none']

  test.each(names)('of RS256 verifies that alone, not what a header calls %s', async (named) => {
    const { verdicts, user } = await verdictsOn(attackerKey(randomUUID()), 'RS256', named)
    expect(verdicts).toEqual(named === 'RS256' ? accepted(user) : refused())
  })

  test.each(names)('of no algorithm verifies EdDSA alone, not what a header calls %s', async (named) => {
    const { verdicts } = await verdictsOn(attackerKey(randomUUID()), null, named)
    expect(verdicts).toEqual(refused())
    const ed25519 = await verdictsOn(attackerKey(randomUUID(), 'EdDSA'), null, named)
    expect(ed25519.verdicts).toEqual(named === 'EdDSA' ? accepted(ed25519.user) : refused())
  })

  test.each(names)('of an algorithm that is not ours verifies nothing, not what a header calls %s', async (named) => {
    const { verdicts } = await verdictsOn(attackerKey(randomUUID()), 'RS512', named)
    expect(verdicts).toEqual(refused())
  })
})
