import { createHash } from 'node:crypto'
import { base64url } from 'jose'

/** The `at_hash` of an access token beside an RS256 ID token. @see OpenID Connect Core 1.0 section 3.1.3.6 */
export function halfHash(accessToken: string): string {
  return base64url.encode(createHash('sha256').update(accessToken).digest().subarray(0, 16))
}
