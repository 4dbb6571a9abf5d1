import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'
import { generateExportedKeyPair } from 'better-auth/plugins/jwt'
import type { JwtAlgorithm } from './signature.ts'
import type { KeyRow } from './signing-keys.queries.ts'
import type { MintKey } from './signing-keys.ts'

/** Makes key pairs as Better-Auth's jwt plugin does: the private half encrypted with the service's secret. */
export function keyMint(algorithm: JwtAlgorithm, secret: string): MintKey {
  return async () => {
    const pair = await generateExportedKeyPair({ jwks: { keyPairConfig: keyPairConfig(algorithm) } })
    const privateKey = await symmetricEncrypt({ key: secret, data: JSON.stringify(pair.privateWebKey) })
    return {
      publicKey: JSON.stringify(pair.publicWebKey),
      privateKey: JSON.stringify(privateKey),
      alg: algorithm,
      ...(pair.publicWebKey.crv && { crv: pair.publicWebKey.crv as 'Ed25519' | 'P-256' }),
    }
  }
}

/**
 * The private half of a key, decrypted with the service's secret.
 * @throws Error when the key was encrypted with another secret
 */
export async function openKey(secret: string, { private_key }: Pick<KeyRow, 'private_key'>): Promise<KeyObject> {
  const jwk = await symmetricDecrypt({ key: secret, data: JSON.parse(private_key) as string }).catch(() => {
    throw new Error('The signing key cannot be decrypted with this BETTER_AUTH_SECRET')
  })
  return createPrivateKey({ key: JSON.parse(jwk) as JsonWebKey, format: 'jwk' })
}

/** The parameters of a new key, in the terms of the jwt plugin. */
export function keyPairConfig(alg: JwtAlgorithm) {
  if (alg === 'RS256') return { alg, modulusLength: 2_048 } as const
  return alg === 'EdDSA' ? ({ alg, crv: 'Ed25519' } as const) : { alg }
}
