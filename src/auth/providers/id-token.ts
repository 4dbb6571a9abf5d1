import { createHash } from 'node:crypto'
import type { OAuthProvider } from '@better-auth/core/oauth2'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Log } from '../../log.ts'

const maxSubjectChars = 255

/**
 * Lets an ID token of a provider count only with every claim that it must have: Better-Auth checks those that it finds.
 * @see OpenID Connect Core 1.0 sections 2 and 3.1.3.7
 */
export function demandClaims({ idToken }: OAuthProvider): void {
  if (!idToken || 'verify' in idToken) return
  const { audience, verifyClaims } = idToken
  idToken.verifyClaims = (claims) => isComplete(claims, audience) && (verifyClaims?.(claims) ?? true)
}

const googleKeys = new URL('https://www.googleapis.com/oauth2/v3/certs')
// Google publishes a key ahead; one that is not known is looked up at once.
const googleKeysMs = 3_600_000
const clockToleranceSeconds = 5

/**
 * Has the ID tokens of Google checked by its keys in memory and with some tolerance for its clock, and binds that of a
 * sign-in to what was asked for. Better-Auth would take one that Google itself hands over without a look.
 * @param provider its claims are demanded already
 * @see OpenID Connect Core 1.0 section 3.1.3.7
 */
export function bindGoogleIdToken(provider: OAuthProvider, log: Log): void {
  const { id, idToken: rules, createAuthorizationURL, getUserInfo } = provider
  if (id !== 'google' || !rules || 'verify' in rules) return
  const keys = createRemoteJWKSet(googleKeys, { cacheMaxAge: googleKeysMs })

  const { issuer = [], audience, maxTokenAge = '1h', verifyClaims } = rules
  const options = { issuer, audience, maxTokenAge, algorithms: ['RS256'], clockTolerance: clockToleranceSeconds }

  async function verify(token: string, nonce: string | undefined): Promise<boolean> {
    try {
      const { payload } = await jwtVerify(token, keys, options)
      return (nonce === undefined || payload['nonce'] === nonce) && (verifyClaims?.(payload) ?? true)
    } catch (err) {
      log.warn({ err }, 'an ID token of Google is not taken')
      return false
    }
  }

  provider.idToken = { verify }
  provider.requiresIdTokenNonce = true
  provider.createAuthorizationURL = async (data) => {
    const url = await createAuthorizationURL(data)
    if (data.idTokenNonce === undefined) throw new Error('There is no nonce for the ID token')
    url.searchParams.set('nonce', data.idTokenNonce)
    return url
  }
  provider.getUserInfo = async (tokens) => {
    const { idToken, accessToken, expectedIdTokenNonce: nonce } = tokens
    // Only who comes back has a nonce, and must have one. What is on file from a sign-in has ended long since.
    if (!idToken || nonce === undefined) return getUserInfo(tokens)
    if (!(await verify(idToken, nonce))) return null
    const found = await getUserInfo(tokens)
    return found && isIssuedWith(idToken, accessToken, found.data) ? found : null
  }
}

function isComplete({ sub, iat, exp, aud, azp }: Record<string, unknown>, audience: string | string[]): boolean {
  const isForOthersToo = Array.isArray(aud) && aud.length > 1 && azp !== audience
  const isSubject = typeof sub === 'string' && sub.trim() !== '' && sub.length <= maxSubjectChars
  return isSubject && typeof iat === 'number' && typeof exp === 'number' && !isForOthersToo
}

const hashes = new Map([
  ['256', 'sha256'],
  ['384', 'sha384'],
])

/**
 * Whether an ID token, whose signature is checked, belongs to an access token and to what that has opened: where it names
 * the access token, the same one; and the same subject.
 * @see OpenID Connect Core 1.0 sections 3.1.3.6 and 5.3.2
 */
export function isIssuedWith(idToken: string, accessToken: string | undefined, profile: object): boolean {
  const { sub, at_hash: expected } = decodeJwt(idToken)
  const { alg = '' } = decodeProtectedHeader(idToken)
  if (!('sub' in profile) || profile.sub !== sub) return false
  if (expected === undefined) return true
  // EdDSA signs with Ed25519 here, which hashes with SHA-512.
  const digest = createHash(hashes.get(alg.slice(-3)) ?? 'sha512')
    .update(accessToken ?? '')
    .digest()
  return expected === digest.subarray(0, digest.length / 2).toString('base64url')
}
