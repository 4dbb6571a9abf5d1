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
const googleRules = {
  issuer: ['https://accounts.google.com', 'accounts.google.com'],
  algorithms: ['RS256'],
  maxTokenAge: '1h',
  clockTolerance: 5,
}

/**
 * Has the ID tokens of Google checked by its keys in memory and with some seconds of tolerance for its clock, and binds
 * that of a sign-in to what was asked for. Better-Auth would take one that Google itself hands over without a look.
 * @param provider Google; any other stays as it is
 * @see OpenID Connect Core 1.0 section 3.1.3.7
 */
export function bindGoogleIdToken(provider: OAuthProvider, log: Log): void {
  if (provider.id !== 'google') return
  const { options, createAuthorizationURL, getUserInfo } = provider
  const audience = String(options?.clientId)
  const keys = createRemoteJWKSet(googleKeys, { cacheMaxAge: googleKeysMs })

  async function verify(token: string, nonce: string | undefined): Promise<boolean> {
    try {
      const { payload } = await jwtVerify(token, keys, { ...googleRules, audience })
      return isComplete(payload, audience) && (nonce === undefined || payload['nonce'] === nonce)
    } catch (err) {
      log.warn({ err }, 'an ID token of Google is not taken')
      return false
    }
  }

  provider.idToken = { verify }
  // Better-Auth makes one for each sign-in then.
  provider.requiresIdTokenNonce = true
  provider.createAuthorizationURL = async (data) => {
    const url = await createAuthorizationURL(data)
    url.searchParams.set('nonce', String(data.idTokenNonce))
    return url
  }
  provider.getUserInfo = async (tokens) => {
    const { idToken = '', accessToken, expectedIdTokenNonce: nonce } = tokens
    // Only who comes back has a nonce, and must have one. What is on file from a sign-in has ended long since.
    if (nonce !== undefined && !(await verify(idToken, nonce))) return null
    const found = await getUserInfo(tokens)
    return found && (nonce === undefined || isIssuedWith(idToken, accessToken, found.data)) ? found : null
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
