import { isOfOwnNetwork } from '../http/client-address.ts'
import type { Log } from '../log.ts'

/**
 * Warns of a proxy that nobody told the service of: once of one in a network of one's own, and once of any other address,
 * where it may be a client that makes things up.
 */
export function untrustedProxyWarning(log: Log): (peer: string) => void {
  const told = new Set<boolean>()
  return (peer) => {
    const isOwn = isOfOwnNetwork(peer)
    if (told.has(isOwn)) return
    told.add(isOwn)
    log.warn(
      { peer },
      'forwarded headers come from an address that is not in TRUSTED_PROXIES, and are not believed. If that is a proxy of yours, add it: until then all of its clients share the limits of one address',
    )
  }
}
