import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { limitOutbound } from '../../src/auth/providers/outbound.ts'
import { freePort } from '../support/throwaway-postgres.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** A server that answers as told, and its address. */
async function start(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('an answer comes through as it is', async () => {
  const url = await start((_incoming, outgoing) => {
    const packed = gzipSync('{"a":1}')
    outgoing.writeHead(201, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(packed)
  })

  const response = await limitOutbound(() => fetch(url))

  expect([response.status, response.headers.get('content-type')]).toEqual([201, 'application/json'])
  expect(await response.json()).toEqual({ a: 1 })
})

test('what is ours is answered here, and nothing else', async () => {
  const url = await start((_incoming, outgoing) => void outgoing.end('"there"'))
  const own = { [`${url}/own`]: () => Promise.resolve('here') }
  const ask = (path: string) => limitOutbound(async () => (await fetch(`${url}${path}`)).json(), own)

  expect([await ask('/own'), await ask('/other')]).toEqual(['here', 'there'])
})

test('it is the same however it is asked for', async () => {
  const url = await start((_incoming, outgoing) => void outgoing.end('"there"'))
  const own = { [`${url}/own`]: () => Promise.resolve('here') }
  const ask = (path: string) => limitOutbound(async () => (await fetch(new Request(new URL(path, url)))).json(), own)

  expect([await ask('/own'), await ask('/other')]).toEqual(['here', 'there'])
})

test('an answer of one megabyte comes through whole', async () => {
  const url = await start((_incoming, outgoing) => void outgoing.end('x'.repeat(1_048_576)))

  expect(await (await limitOutbound(() => fetch(url))).text()).toHaveLength(1_048_576)
})

test('what asks is put in the place of fetch once', async () => {
  await limitOutbound(() => Promise.resolve())
  const { fetch } = globalThis
  await limitOutbound(() => Promise.resolve())

  expect(globalThis.fetch).toBe(fetch)
})

test('an answer without a body comes through, too', async () => {
  const url = await start((_incoming, outgoing) => void outgoing.writeHead(204).end())

  expect((await limitOutbound(() => fetch(url))).status).toBe(204)
})

test('who gave up before it was asked asks nothing', async () => {
  let asked = 0
  const url = await start((_incoming, outgoing) => {
    asked++
    outgoing.end()
  })
  const signal = AbortSignal.abort(new Error('given up'))

  await expect(limitOutbound(() => fetch(url, { signal }))).rejects.toThrow('given up')
  expect(asked).toBe(0)
})

test.each<[string, RequestListener, RegExp]>([
  ['never comes', () => {}, /aborted due to timeout/],
  ['never ends', (_incoming, outgoing) => void outgoing.writeHead(200).write('{'), /aborted due to timeout/],
  [
    'is larger than a megabyte',
    (_incoming, outgoing) => void outgoing.writeHead(200).end('x'.repeat(1_100_000)),
    /more than 1048576 bytes/,
  ],
  [
    'leads elsewhere',
    (_incoming, outgoing) => void outgoing.writeHead(302, { location: '/elsewhere' }).end(),
    /unexpected redirect/,
  ],
])('R-38 an answer that %s is an error', async (_what, listener, message) => {
  const url = await start(listener)
  // A timeout that nothing holds is forgotten with the garbage.
  const collecting = setInterval(collectGarbage, 1_000)
  onTestFinished(() => clearInterval(collecting))

  await expect(limitOutbound(() => fetch(url))).rejects.toThrow(message)
  await expect(limitOutbound(() => fetch(url, { signal: AbortSignal.timeout(60_000) }))).rejects.toThrow(message)
})

test('R-38 what asks more than once has no more time for all of it', async () => {
  const url = await start((_incoming, outgoing) => void setTimeout(() => outgoing.end(), 3_000))

  await expect(
    limitOutbound(async () => {
      expect((await fetch(url)).status).toBe(200)
      await fetch(url)
    }),
  ).rejects.toThrow(/aborted due to timeout/)
})

test('R-38 nor has what asks within it', async () => {
  const url = await start((_incoming, outgoing) => void setTimeout(() => outgoing.end(), 3_000))

  await expect(
    limitOutbound(async () => {
      expect((await limitOutbound(() => fetch(url))).status).toBe(200)
      await fetch(url)
    }),
  ).rejects.toThrow(/aborted due to timeout/)
})

test('nothing is asked of another machine without https', async () => {
  for (const url of ['http://192.0.2.1/', 'http://169.254.169.254/', 'http://localhost.example.com/'])
    await expect(limitOutbound(() => fetch(url))).rejects.toThrow('is not asked without https')
})

test('what is asked outside is not limited', async () => {
  const url = await start((incoming, outgoing) => {
    if (incoming.url === '/') outgoing.writeHead(302, { location: '/elsewhere' }).end()
    else outgoing.end('x'.repeat(1_100_000))
  })

  await limitOutbound(() => Promise.resolve())

  expect(await (await fetch(url)).text()).toHaveLength(1_100_000)
})

test('R-38 what cannot be asked at all is an error that says why', async () => {
  const url = await start((incoming) => void incoming.socket.destroy())
  const refused = limitOutbound(() => fetch(url))

  await expect(refused).rejects.toThrow('other side closed')
  await expect(refused).rejects.toThrow(TypeError)
  // Of several addresses that refuse, Node says nothing but a code.
  const none = new URL(url)
  none.hostname = 'localhost'
  none.port = String(await freePort())
  await expect(limitOutbound(() => fetch(none))).rejects.toThrow('ECONNREFUSED')
})

test('R-38 of an answer without end the connection is closed', async () => {
  let closed: Promise<unknown> | undefined
  const url = await start((_incoming, outgoing) => {
    closed = once(outgoing, 'close')
    const chunk = Buffer.alloc(65_536)
    const go = () => {
      while (!outgoing.destroyed && outgoing.write(chunk));
    }
    outgoing.writeHead(200).on('drain', go)
    go()
  })

  await expect(limitOutbound(() => fetch(url))).rejects.toThrow(/more than 1048576 bytes/)

  // Or the test is given up.
  await closed
})

test('no clock is left once there is an answer', async () => {
  const url = await start((_incoming, outgoing) => void outgoing.end('"there"'))
  const clocks = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = clocks()

  await limitOutbound(() => fetch(url))

  expect(clocks()).toBe(before)
})
