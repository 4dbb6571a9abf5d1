import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { startChromium } from './chromium.ts'

// A page that does all that a page of ours must not.
const policy = "default-src 'self'; script-src 'unsafe-inline'; img-src http: data:"
const bad = (stray: string) => `<style>p { color: red }</style><img src="${stray}" alt="">
  <script>console.error('bad')</script><script>throw new Error('worse')</script>`
const server = createServer(({ url }, outgoing) => {
  outgoing.setHeader('content-type', 'text/html')
  if (url === '/bad') outgoing.setHeader('content-security-policy', policy)
  outgoing.end(`<!doctype html><title>A page</title><link rel="icon" href="data:">${url === '/bad' ? bad(stray) : ''}`)
}).listen(0, '127.0.0.1')
afterAll(() => void server.close())
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const [origin, other] = [`http://127.0.0.1:${port}`, `http://localhost:${port}`]
const stray = `${other}/stray.png`
const chromium = await startChromium()

const always = [`request: ${stray}`, 'Content Security Policy directive']
const withScripts = ['error: bad', 'error: worse', 'violation: style-src-elem inline']

describe.each([
  ['with JavaScript', true, [...always, ...withScripts]],
  ['without JavaScript', false, always],
])('what a page must not do is seen %s', (_how, javaScriptEnabled, faults) => {
  test('all of it', async () => {
    const page = await chromium.open(origin, '/bad', { javaScriptEnabled, faults })
    expect(await page.title()).toBe('A page')
  })

  test.fails.each(faults)('and fails the test: %s', async (fault) => {
    const others = faults.filter((text) => text !== fault)
    const page = await chromium.open(origin, '/bad', { javaScriptEnabled, faults: others })
    expect(await page.title()).toBe('A page')
  })

  test.fails('and so does a fault that was expected and is missing', async () => {
    const page = await chromium.open(origin, '/', { javaScriptEnabled, faults: ['error: bad'] })
    expect(await page.title()).toBe('A page')
  })

  test('a page may ask an origin that is allowed', async () => {
    const rest = faults.filter((fault) => !fault.startsWith('request:'))
    const page = await chromium.open(origin, '/bad', { javaScriptEnabled, origins: [other], faults: rest })
    expect(await page.title()).toBe('A page')
  })
})
