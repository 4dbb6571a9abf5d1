import { createPublicKey, type JsonWebKey, type KeyObject, sign, type VerifyKeyObjectInput, verify } from 'node:crypto'

/** The algorithms that the service signs with. @see RFC 7518 section 3.1, RFC 8037 section 3.1 */
export type JwtAlgorithm = 'RS256' | 'ES256' | 'EdDSA'

// All is synchronous, on the main thread: WebCrypto would wait behind the passwords that are hashed in libuv's pool.
const digests = { RS256: 'sha256', ES256: 'sha256', EdDSA: null } as const

/** Signs text with a key that fits the algorithm. It takes a quarter of a millisecond at most. */
export function signText(algorithm: JwtAlgorithm, key: KeyObject, text: string): Buffer {
  const signature = sign(digests[algorithm], Buffer.from(text), encoded(key))
  return algorithm === 'ES256' ? withLowS(signature) : signature
}

/** Whether a signature of that very algorithm was made for this text with the private half of the key, by `signText`. */
export function isSignatureOf(algorithm: JwtAlgorithm, key: KeyObject, text: string, signature: Uint8Array): boolean {
  if (algorithm === 'ES256' && isHighS(signature)) return false
  return verify(digests[algorithm], Buffer.from(text), encoded(key), signature)
}

// Whoever has an ECDSA signature (r, s) can write another, (r, n - s): we make and take the one with the lower s alone.
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const halfOrder = Buffer.from((order >> 1n).toString(16), 'hex')
const scalarBytes = 32

function isHighS(signature: Uint8Array): boolean {
  return Buffer.compare(signature.subarray(scalarBytes), halfOrder) > 0
}

function withLowS(signature: Buffer): Buffer {
  if (!isHighS(signature)) return signature
  const lowS = order - BigInt(`0x${signature.toString('hex', scalarBytes)}`)
  const digits = lowS.toString(16).padStart(2 * scalarBytes, '0')
  return Buffer.concat([signature.subarray(0, scalarBytes), Buffer.from(digits, 'hex')])
}

// The two numbers of an ECDSA signature side by side, not in DER: RFC 7518 section 3.4.
function encoded(key: KeyObject): VerifyKeyObjectInput {
  return { key, dsaEncoding: 'ieee-p1363' }
}

/**
 * The public half of a key, for the one algorithm that it was made for; undefined when it is not one for it.
 * @param jwk the key as JSON. @see RFC 7517 section 4, RFC 7518 section 3.3
 */
export function importPublicKey(jwk: string, algorithm: JwtAlgorithm): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: JSON.parse(jwk) as JsonWebKey, format: 'jwk' })
    return fits(key, algorithm) ? key : undefined
  } catch {
    return undefined
  }
}

function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, algorithm: JwtAlgorithm): boolean {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails ?? {}
  if (algorithm === 'RS256') return asymmetricKeyType === 'rsa' && modulusLength >= 2_048
  return algorithm === 'ES256' ? namedCurve === 'prime256v1' : asymmetricKeyType === 'ed25519'
}

/** Whether it is one of the algorithms that the service signs with. */
export function isJwtAlgorithm(name: string): name is JwtAlgorithm {
  return Object.hasOwn(digests, name)
}
