import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'
import { generateExportedKeyPair, type Jwk } from 'better-auth/plugins/jwt'
import type { JwtAlgorithm, MintKey } from './signing-keys.ts'

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

/** Whether `secret` is the one that the private half of a key was encrypted with. */
export async function opensKey(secret: string, { privateKey }: Pick<Jwk, 'privateKey'>): Promise<boolean> {
  try {
    await symmetricDecrypt({ key: secret, data: JSON.parse(privateKey) as string })
    return true
  } catch {
    return false
  }
}

/** The parameters of a new key, in the terms of the jwt plugin. */
export function keyPairConfig(alg: JwtAlgorithm) {
  if (alg === 'RS256') return { alg, modulusLength: 2_048 } as const
  return alg === 'EdDSA' ? ({ alg, crv: 'Ed25519' } as const) : { alg }
}
