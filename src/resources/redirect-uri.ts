import { isLoopback } from '../http/loopback.ts'

/**
 * Whether a client may have people sent to an address: https, http on this machine, or an application of its own there,
 * by a scheme that is a domain name backwards.
 * @see RFC 9700 section 2.1, RFC 8252 section 7
 */
export function isRedirectUri(text: string): boolean {
  // As it is compared: exactly, and so only in the spelling that a browser keeps.
  if (!URL.canParse(text) || /[\s\p{Cc}#\\]/u.test(text) || text.length > 2_000) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username || password) return false
  if (protocol === 'https:') return true
  if (protocol === 'http:') return isLoopback(hostname)
  return /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(protocol)
}
