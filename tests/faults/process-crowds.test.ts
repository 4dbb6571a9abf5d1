import { request as httpRequest } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { bearing, keepAsking, signUp, statusAt } from '../support/callers.ts'
import { connectMany, sendSlowly, statusesOfAll } from '../support/crowds.ts'
import { startAsDeployed } from '../support/deployed.ts'
import { tellFigures } from '../support/figures.ts'
import { memoryOf } from '../support/limits.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService } from '../support/service-process.ts'
import { startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())
const start = () => startAsDeployed(root, database.url)
// Of fewer `tests/http/attack-denial.test.ts` asks each time.
const longMs = 300_000

test.runIf(isNightly)(
  'D-02 ten thousand slow heads and bodies are answered 408, and keep nobody waiting (nightly)',
  {
    timeout: longMs,
  },
  async () => {
    const slow = 5_000
    const { service, url } = await start()
    const ada = await signUp(url)
    const me = keepAsking(2, [() => statusAt(`${url}/health`), () => statusAt(`${url}/api/v1/auth/me`, bearing(ada))])

    const body = `PATCH /api/v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\n`
    const [heads, bodies] = await Promise.all([
      sendSlowly(await connectMany(url, slow), 'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: '),
      sendSlowly(await connectMany(url, slow), `${body}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`),
    ])

    expect([...(await me.stop()).keys()]).toEqual(['200'])
    tellFigures('D-02', { heads, bodies, peakMb: memoryOf(service.pid).peak / 1e6 })
    expect({ heads, bodies }).toEqual({ heads: { 408: slow }, bodies: { 408: slow } })
  },
)

test.runIf(isNightly)(
  'D-03 15,000 connections that have asked once, and stay, are all served in 400 MB (nightly)',
  {
    timeout: longMs,
  },
  async () => {
    const idle = 15_000
    const { service, url } = await start()
    const ada = await signUp(url)
    const sockets = await connectMany(url, idle)

    expect(await statusesOfAll(sockets)).toEqual(new Set(['200']))
    expect(await statusAt(`${url}/api/v1/auth/me`, bearing(ada))).toBe(200)
    expect(await statusesOfAll(sockets)).toEqual(new Set(['200']))
    const { peak } = memoryOf(service.pid)
    tellFigures('D-03', { idle, peakMb: peak / 1e6 })
    expect(peak).toBeLessThan(400e6)
  },
)

test('N-08 twenty bodies of 60 MB cost no memory', async () => {
  const { service, url } = await start()
  const ada = await signUp(url)
  const length = 60_000_000
  const part = Buffer.alloc(1_000_000, ' ')
  const offer = () =>
    new Promise<number>((resolve) => {
      const outgoing = httpRequest(`${url}/api/v1/users/me`, { method: 'PATCH', agent: false, ...bearing(ada) })
      // In chunks: nothing says beforehand how many come.
      outgoing.setHeader('content-type', 'application/json')
      // A connection that is reset on the way may take the answer with it.
      outgoing.on('error', () => resolve(413))
      outgoing.on('response', (incoming) => {
        resolve(incoming.statusCode ?? 0)
        incoming.resume()
      })
      for (let sent = 0; sent < length; sent += part.length) outgoing.write(part)
      outgoing.end()
    })
  // What the first ones bring along is there before.
  for (let i = 0; i < 5; i++) await offer()
  const before = memoryOf(service.pid).peak

  for (let i = 0; i < 20; i++) expect(await offer()).toBe(413)

  expect(await statusAt(`${url}/api/v1/auth/me`, bearing(ada))).toBe(200)
  const more = memoryOf(service.pid).peak - before
  tellFigures('N-08', { moreMb: more / 1e6 })
  expect(more).toBeLessThan(20e6)
})
