import { describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { endpointsThatAre } from '../support/auth-endpoints.ts'
import { startServiceForFile } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'
import { sendOnce } from '../support/raw-http.ts'

const service = await startServiceForFile({ env: providerEnv })

type Route = [method: string, path: string]

const endpoints = [...endpointsThatAre('served'), ...endpointsThatAre('replaced')].map(
  ([method, path]): Route => [method, `/api/auth${path}`],
)
const ofApp = (await createApp(service.services, () => true)).routes
  .filter(({ method, path }) => /^(GET|POST)$/.test(method) && !/^\/(api|health|assets)\b|[*{]|^\/$/.test(path))
  .map(({ method, path }) => [`${method} ${path}`, [method, path] as Route] as const)
const pages = [...new Map(ofApp).values()]

/** Sends something to a route, of the type that it reads, at this target. */
async function statusOf([method, path]: Route, target: string): Promise<number> {
  const [type, body] = /\/oauth2\/|^\/(?!api)/.test(path)
    ? ['application/x-www-form-urlencoded', 'a=b']
    : ['application/json', '{}']
  const sent = method === 'POST' ? `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}` : '\r\n'
  const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\nOrigin: ${service.baseUrl}\r\nConnection: close\r\n`
  return (await sendOnce(service, head + sent)).status
}

const valueIn = (path: string) => (path.startsWith('/problems/') ? 'internal' : 'google')
const filled = (path: string) => path.replace(/:\w+$/, valueIn(path))

/** Other spellings of a path, of what in it is no parameter: none of them is its address. */
function spellingsOf(path: string): string[] {
  const [fixed = '', parameter] = path.split(/(?=\/:)/)
  const end = parameter === undefined ? '' : `/${valueIn(path)}`
  const last = fixed.lastIndexOf('/')
  const [before, name] = [fixed.slice(0, last), fixed.slice(last + 1)]
  const capital = `${before}/${name.charAt(0).toUpperCase()}${name.slice(1)}`
  const ends = ['/', '//', '%00', ';x', '%20', '%2F', '.', '%09', '/%2e%2e%2f', '.json']
  return [
    `/${fixed}${end}`,
    `${before}//${name}${end}`,
    `${fixed.replaceAll('/', '//')}${end}`,
    `${capital}${end}`,
    `${fixed.toUpperCase()}${end}`,
    ...(before === '' ? [] : [`${before}%2F${name}${end}`, `${before}%5C${name}${end}`]),
    ...(parameter === undefined ? ends.map((more) => fixed + more) : [`${fixed}/${end}`, `${fixed}${end}/`]),
  ]
}

const encoded = (path: string) =>
  path.replace(/(?<=\/)[a-z](?=[^/:]*(\/:\w+)?$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)

describe('N-20 an address has no other spelling', () => {
  test('and there are many', () => {
    expect(endpoints.length).toBeGreaterThan(50)
    expect(pages.length).toBeGreaterThan(20)
  })

  test.each([...endpoints, ...pages])('%s %s', async (...route) => {
    const [, path] = route
    const usual = await statusOf(route, filled(path))
    expect(usual).not.toBe(404)

    const answered = []
    for (const target of spellingsOf(path)) answered.push([target, await statusOf(route, target)])
    expect(answered).toEqual(spellingsOf(path).map((target) => [target, 404]))
  })

  // RFC 3986 section 6.2.2: these are the same address, so what is bound to it must be bound to them.
  test.each([...endpoints, ...pages])('%s %s, but such as mean the same', async (...route) => {
    const [, path] = route
    const usual = await statusOf(route, filled(path))
    for (const target of [`/.${filled(path)}`, `/x/..${filled(path)}`])
      expect([target, await statusOf(route, target)]).toEqual([target, usual])
    expect([404, usual]).toContain(await statusOf(route, filled(encoded(path))))
  })
})
