import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import ipaddr from 'ipaddr.js'

type Range = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

interface Peer {
  text: string
  /** The address again, of a proxy of ours. */
  proxy: ipaddr.IPv4 | ipaddr.IPv6 | undefined
}

/** Carries the client's address to Better-Auth; what a client sends under this name is dropped. */
export const clientAddressHeader = 'x-client-ip'

/** Parses an address or CIDR range, an IPv4 one in an IPv6 one as that; undefined when it is neither. */
export function parseRange(text: string): Range | undefined {
  // `isValid` takes IPv4 in its historic short and octal forms too, which nobody means.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return [ipaddr.IPv4.parse(text), 32]
  if (ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return ipaddr.IPv4.parseCIDR(text)
  if (!ipaddr.IPv6.isValid(text) && !ipaddr.IPv6.isValidCIDR(text)) return undefined
  const [address, bits] = ipaddr.IPv6.parseCIDR(text.includes('/') ? text : `${text}/128`)
  if (!address.isIPv4MappedAddress()) return [address, bits]
  return bits < 96 ? undefined : [address.toIPv4Address(), bits - 96]
}

/** An address in one spelling: an IPv4 address in an IPv6 one is that. What is no address stays as it is. */
export function canonicalAddress(text: string): string {
  return parseAddress(text)?.toString() ?? text
}

/**
 * Finds the address of the client: the socket's peer or, when that is one of the `trusted` proxies, the right-most hop
 * of `X-Forwarded-For` that is not. Whatever else a client claims is ignored.
 * @param onUntrusted called with the peer of a connection that is no trusted proxy and begins as that of a proxy does
 */
export function clientAddressFinder(
  trusted: Range[],
  onUntrusted: (peer: string) => void = () => {},
): (incoming: IncomingMessage) => string {
  const isTrusted = trustIn(trusted)

  // A connection has one peer for all its requests.
  const peers = new WeakMap<Socket, Peer>()
  function peerOf({ socket, headers }: IncomingMessage): Peer {
    const address = parseAddress(socket.remoteAddress ?? '')
    const peer = { text: address?.toString() ?? 'unknown', proxy: address && isTrusted(address) ? address : undefined }
    peers.set(socket, peer)
    if (!peer.proxy && (headers['x-forwarded-for'] ?? headers.forwarded) !== undefined) onUntrusted(peer.text)
    return peer
  }

  return (incoming) => {
    const { text, proxy } = peers.get(incoming.socket) ?? peerOf(incoming)
    if (!proxy) return text
    let client = proxy
    for (const hop of hopsOf(incoming).reverse()) {
      const address = parseAddress(hop)
      if (!address) break
      client = address
      if (!isTrusted(address)) break
    }
    return client.toString()
  }
}

function trustIn(trusted: Range[]) {
  return (address: ipaddr.IPv4 | ipaddr.IPv6) =>
    trusted.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits))
}

function hopsOf({ headers }: IncomingMessage): string[] {
  const text = [headers['x-forwarded-for'] ?? []].flat().join(',')
  return text.split(',').map((hop) => hop.trim())
}

/** Tells how a request arrived: from which peer, whether that is one of the `trusted` proxies, and what it forwarded. */
export function arrivalTeller(trusted: Range[]) {
  const isTrusted = trustIn(trusted)
  const find = clientAddressFinder(trusted)
  return (incoming: IncomingMessage) => {
    const { remoteAddress = '', remotePort = 0 } = incoming.socket
    const peer = parseAddress(remoteAddress)
    return {
      address: find(incoming),
      peer: peer?.toString() ?? 'unknown',
      peerPort: remotePort,
      isTrusted: peer !== undefined && isTrusted(peer),
      hops: hopsOf(incoming).filter((hop) => hop !== ''),
      hasForwarded: incoming.headers.forwarded !== undefined,
    }
  }
}

/** Whether an address is of this machine or of a network of one's own, as proxies mostly have. */
export function isOfOwnNetwork(address: string): boolean {
  const range = parseAddress(address)?.range() ?? ''
  return ['loopback', 'private', 'uniqueLocal', 'linkLocal', 'carrierGradeNat'].includes(range)
}

/** What one client owns: an IPv4 address, or the /64 of an IPv6 address, and the /48 that a site of many has. */
export function blocksOf(address: string): { block: string; site?: string } {
  if (!address.includes(':')) return { block: address }
  const parsed = parseAddress(address)
  if (!(parsed instanceof ipaddr.IPv6)) return { block: address }
  const prefix = (parts: number) =>
    parsed.parts
      .slice(0, parts)
      .map((part) => part.toString(16))
      .join(':')
  return { block: `${prefix(4)}::/64`, site: `${prefix(3)}::/48` }
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined
}
