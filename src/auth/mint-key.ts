import { symmetricEncrypt } from 'better-auth/crypto'
import { generateExportedKeyPair } from 'better-auth/plugins/jwt'
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

/** The parameters of a new key, in the terms of the jwt plugin. */
export function keyPairConfig(alg: JwtAlgorithm) {
  if (alg === 'RS256') return { alg, modulusLength: 2_048 } as const
  return alg === 'EdDSA' ? ({ alg, crv: 'Ed25519' } as const) : { alg }
}
