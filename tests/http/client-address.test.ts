import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { arrivalTeller, blocksOf, clientAddressFinder, parseRange } from '../../src/http/client-address.ts'

type Range = NonNullable<ReturnType<typeof parseRange>>

const ranges = (...texts: string[]) => texts.map((text) => parseRange(text) as Range)

/** A request of a connection from a peer. */
function requestFrom(peer: string | undefined, headers: IncomingHttpHeaders = {}, socket = new Socket()) {
  Object.defineProperty(socket, 'remoteAddress', { value: peer, configurable: true })
  return { socket, headers } as IncomingMessage
}

test.each([
  ['10.0.0.0/8', '10.0.0.0', 8],
  ['10.0.0.1', '10.0.0.1', 32],
  ['::ffff:10.0.0.1', '10.0.0.1', 32],
  ['::ffff:10.0.0.0/104', '10.0.0.0', 8],
  ['::ffff:0:0/96', '0.0.0.0', 0],
  ['2001:db8::1', '2001:db8::1', 128],
  ['2001:db8::/32', '2001:db8::', 32],
])('%s is a range', (text, address, bits) => {
  const [network, length] = parseRange(text) as Range
  expect([network.toString(), length]).toEqual([address, bits])
})

test.each([
  '',
  '10.1',
  '010.0.0.1',
  '010.0.0.0/8',
  '0x0a.0.0.0/8',
  '10/8',
  '192.168/16',
  '10.0.0.0/33',
  '::ffff:10.0.0.0/95',
  'fe80::1::',
  'fe80::/129',
  'localhost',
  '10.0.0.1/',
])('%j is no range', (text) => {
  expect(parseRange(text)).toBeUndefined()
})

test('a connection of a peer that is not trusted and forwards something is told of once', () => {
  const told: string[] = []
  const find = clientAddressFinder(ranges('10.0.0.0/8'), (peer) => told.push(peer))
  const socket = new Socket()
  const forwarded = { 'x-forwarded-for': '203.0.113.9' }

  expect(find(requestFrom('192.0.2.1', forwarded, socket))).toBe('192.0.2.1')
  expect(find(requestFrom('192.0.2.1', forwarded, socket))).toBe('192.0.2.1')
  expect(find(requestFrom('192.0.2.2', { forwarded: 'for=203.0.113.9' }))).toBe('192.0.2.2')
  expect(find(requestFrom('192.0.2.3'))).toBe('192.0.2.3')
  expect(find(requestFrom('10.0.0.1', forwarded))).toBe('203.0.113.9')
  expect(told).toEqual(['192.0.2.1', '192.0.2.2'])
})

test('a connection that has no peer any more has no address, and is trusted by nobody', () => {
  const request = requestFrom(undefined, { 'x-forwarded-for': '203.0.113.9' })

  expect(clientAddressFinder(ranges('0.0.0.0/0', '::/0'))(request)).toBe('unknown')
  expect(arrivalTeller(ranges('0.0.0.0/0', '::/0'))(request)).toMatchObject({ peer: 'unknown', isTrusted: false })
})

test.each([
  ['192.0.2.1', { block: '192.0.2.1' }],
  ['2001:db8:1:2:3:4:5:6', { block: '2001:db8:1:2::/64', site: '2001:db8:1::/48' }],
  ['::1', { block: '0:0:0:0::/64', site: '0:0:0::/48' }],
  ['::ffff:192.0.2.1', { block: '::ffff:192.0.2.1' }],
  ['unknown', { block: 'unknown' }],
  ['no:address', { block: 'no:address' }],
])('%s is counted by its block', (address, blocks) => {
  expect(blocksOf(address)).toEqual(blocks)
})
