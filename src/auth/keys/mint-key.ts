import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'
import { generateExportedKeyPair } from 'better-auth/plugins/jwt'
import type { JwtAlgorithm } from './signature.ts'
import type { KeyRow } from './signing-keys.queries.ts'
import type { MintKey } from './signing-keys.ts'

/** Makes key pairs as Better-Auth's jwt plugin does: the private half encrypted with the current secret of the service. */
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
 * The private half of a key, decrypted with that of the secrets with which it was encrypted.
 * @throws Error when it was another
 */
export async function openKey(
  secrets: readonly string[],
  { private_key }: Pick<KeyRow, 'private_key'>,
): Promise<KeyObject> {
  const data = JSON.parse(private_key) as string
  const jwk = await Promise.any(secrets.map((key) => symmetricDecrypt({ key, data }))).catch(() => {
    throw new Error('The signing key cannot be decrypted with this BETTER_AUTH_SECRET')
  })
  return createPrivateKey({ key: JSON.parse(jwk) as JsonWebKey, format: 'jwk' })
}

/** The parameters of a new key, in the terms of the jwt plugin. */
export function keyPairConfig(alg: JwtAlgorithm) {
  if (alg === 'RS256') return { alg, modulusLength: 2_048 } as const
  return alg === 'EdDSA' ? ({ alg, crv: 'Ed25519' } as const) : { alg }
}
