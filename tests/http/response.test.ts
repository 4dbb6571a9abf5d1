import { once } from 'node:events'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { responseWith } from '../../src/http/response.ts'

const constant = { 'cache-control': 'no-store', 'x-frame-options': 'DENY' }

/** The names and values of a response's own headers as they are on the wire, in whatever way its handler sets some. */
async function sent(set: OutgoingHttpHeaders, write: OutgoingHttpHeaders | undefined): Promise<string[]> {
  const server = createServer({ ServerResponse: responseWith(constant) }, (_, outgoing) => {
    outgoing.requestId = 'an-id'
    for (const [name, value = ''] of Object.entries(set)) outgoing.setHeader(name, value)
    if (write) outgoing.writeHead(200, write)
    outgoing.end('ok')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return [...headers].map(([name, value]) => `${name}: ${value}`).filter((line) => /^(cache|x-)/.test(line))
}

const own = ['cache-control: no-store', 'x-frame-options: DENY', 'x-request-id: an-id']
const replaced = ['cache-control: public', 'x-frame-options: DENY', 'x-request-id: an-id']

test.each<[OutgoingHttpHeaders, OutgoingHttpHeaders | undefined, string[]]>([
  [{}, undefined, own],
  [{}, { 'Content-Type': 'text/plain' }, own],
  [{ 'X-Other': '1' }, { 'Content-Type': 'text/plain' }, [own[0] ?? '', own[1] ?? '', 'x-other: 1', own[2] ?? '']],
  [{}, { 'Cache-Control': 'public' }, replaced],
  [{ 'Cache-Control': 'public' }, undefined, replaced],
  [{ 'Cache-Control': 'private' }, { 'cache-control': 'public' }, replaced],
  [{}, { 'X-Other': undefined }, own],
])('a response has its own headers once, and those of the handler in their place: %j %j', async (set, write, lines) => {
  expect((await sent(set, write)).sort()).toEqual([...lines].sort())
})

test('a reason and a list of headers are taken as Node takes them', async () => {
  const server = createServer({ ServerResponse: responseWith(constant) }, (_, outgoing) => {
    outgoing.requestId = 'an-id'
    outgoing.writeHead(201, 'Made', ['Cache-Control', 'public']).end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { statusText, headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  expect([statusText, headers.get('cache-control'), headers.get('x-frame-options')]).toEqual(['Made', 'public', 'DENY'])
})
