import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()

/** Asks without taking anything apart, which fetch would. */
async function get(path: string, headers: Record<string, string> = {}) {
  const outgoing = request(`${service.url}${path}`, { headers }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: incoming.statusCode, headers: incoming.headers, body: await buffer(incoming) }
}

test("Scalar's script comes compressed to who takes it so, and plain to others", async () => {
  const plain = await get('/api/v1/docs/scalar.js')
  const packed = await get('/api/v1/docs/scalar.js', { 'accept-encoding': 'br, gzip' })

  expect(plain).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/javascript; charset=utf-8', vary: 'Accept-Encoding' },
  })
  expect(plain.headers).not.toHaveProperty('content-encoding')
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  expect(packed.body.length).toBeLessThan(plain.body.length / 2)
  expect(gunzipSync(packed.body).equals(plain.body)).toBe(true)
})

test.each([
  ['/assets/pages.css', 'text/css; charset=utf-8', /--\w/],
  ['/favicon.ico', 'image/svg+xml; charset=utf-8', /^<svg/],
  ['/assets/logo.svg', 'image/svg+xml; charset=utf-8', /^<svg/],
])('%s is there for every page', async (path, type, content) => {
  const { status, headers, body } = await get(path)

  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type })
  expect(headers['cache-control']).toMatch(/^public, max-age=\d+$/)
  expect(body.toString()).toMatch(content)
})

test('there is a page for each kind of problem, and none for others', async () => {
  const page = await get('/problems/last-admin')

  expect(page.headers['content-type']).toMatch(/^text\/html/)
  expect(page.body.toString()).toContain('There must always be an active admin.')
  expect((await get('/problems/constructor')).status).toBe(404)
})
