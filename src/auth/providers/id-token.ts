import { createHash } from 'node:crypto'
import { type OAuthProvider, verifyProviderIdToken } from '@better-auth/core/oauth2'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader } from 'jose'

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

// Remembered for ten minutes: Better-Auth would ask for them at every sign-in.
const googleKeys = createRemoteJWKSet(new URL('https://www.googleapis.com/oauth2/v3/certs'))

/**
 * Checks the ID token of Google wherever it comes from, and binds it to the sign-in for which it was asked. One that Google
 * itself hands over Better-Auth would take without a look: for whom it is, until when, and whether it was ours to ask for.
 * @see OpenID Connect Core 1.0 section 3.1.3.7
 */
export function bindIdToken(provider: OAuthProvider): void {
  const { id, idToken: rules, createAuthorizationURL, getUserInfo } = provider
  if (id !== 'google' || !rules || 'verify' in rules) return
  rules.jwks = googleKeys
  provider.requiresIdTokenNonce = true
  provider.createAuthorizationURL = async (data) => {
    const url = await createAuthorizationURL(data)
    url.searchParams.set('nonce', data.idTokenNonce ?? '')
    return url
  }
  provider.getUserInfo = async (tokens) => {
    const { idToken, accessToken, expectedIdTokenNonce: nonce } = tokens
    const found = await getUserInfo(tokens)
    // Only who comes back has a nonce, and must have one. What is on file from a sign-in has ended long since.
    if (!found || !idToken || nonce === undefined) return found
    const isOurs = await verifyProviderIdToken(provider, idToken, nonce)
    return isOurs && isIssuedWith(idToken, accessToken, found.data) ? found : null
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
