import type { IncomingHttpHeaders } from 'node:http'
import { expect, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { examineService } from '../../src/run-doctor.ts'
import { byCheck, examined, startBehind } from '../support/examined.ts'
import { appending, type Habits, without } from '../support/front-proxy.ts'
import { startServiceForFile } from '../support/harness.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const { service, proxy } = await startBehind(appending, { TRUSTED_PROXIES: '127.0.0.2' })
const other = await startServiceForFile()

/** What the doctor finds while the proxy has these habits. */
async function findingsWith(habits: Habits, target = service.url) {
  Object.assign(proxy, { habits: { ...appending, ...habits }, target })
  return examined(service)
}

const saying = (what: RegExp) => expect.stringMatching(what) as string

test('a proxy that is set up well: nothing to mend', async () => {
  const findings = Object.values(await findingsWith({}))

  expect(findings.filter(({ level, check }) => level !== 'ok' && check !== 'admin')).toEqual([])
  const names = ['public-url', 'ready', 'caching', 'clock', 'cookies', 'forwarded-headers', 'signing-key', 'migrations']
  expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(names))
})

const answering =
  (status: number, headers: Record<string, string>, body = ''): NonNullable<Habits['answer']> =>
  (_incoming, outgoing) =>
    void outgoing.writeHead(status, headers).end(body)

test.each<[string, Habits, RegExp, RegExp]>([
  [
    'redirects',
    { answer: answering(302, { location: 'https://elsewhere.example.com/x?token=canary' }) },
    /redirects to https:\/\/elsewhere\.example\.com$/,
    /^Set BETTER_AUTH_URL/,
  ],
  [
    'shows a page',
    { answer: answering(200, {}, '<h1>canary</h1>') },
    /is not this service \(status 200\)/,
    /Let that URL/,
  ],
  [
    'shows JSON of another kind',
    { answer: answering(200, {}, '{"keys":"canary"}') },
    /is not this service/,
    /Let that/,
  ],
  ['shows null', { answer: answering(200, {}, 'null') }, /is not this service/, /Let that URL/],
  ['shows keys that are none', { answer: answering(200, {}, '{"keys":[null,1]}') }, /another service/, /Check BETTER_/],
  ['has lost the service', { answer: answering(502, {}, 'canary') }, /answers with 502/, /Wait until/],
  ['has enough', { answer: answering(429, {}, 'canary') }, /answers with 429/, /Wait until/],
  ['hangs up', { answer: (_incoming, outgoing) => void outgoing.destroy() }, /cannot be reached: ECONNRESET/, /Start/],
  ['says nothing', { answer: () => {} }, /cannot be reached: ETIMEDOUT/, /Start the service/],
  [
    'says too much',
    { answer: (_incoming, outgoing) => void outgoing.end('canary'.repeat(1_000_000)) },
    /cannot be reached: the answer is too long/,
    /Start/,
  ],
])('a public URL that %s: a problem, and nothing further is asked there', async (_name, habits, what, mend) => {
  const { 'public-url': finding, ...rest } = await findingsWith(habits)

  expect(finding).toEqual({ check: 'public-url', level: 'problem', what: saying(what), mend: saying(mend) })
  for (const further of ['ready', 'cookies', 'forwarded-headers']) expect(rest[further]).toBeUndefined()
  expect(JSON.stringify(rest)).not.toContain('canary')
})

test('another service at the public URL: a problem', async () => {
  const { 'public-url': finding, ...rest } = await findingsWith({}, other.url)

  expect(finding).toMatchObject({ level: 'problem', what: saying(/another service answers at/) })
  expect(Object.keys(rest)).not.toContain('forwarded-headers')
})

test.each([
  ['nobody listens', async () => `http://localhost:${await freePort()}`, /ECONNREFUSED/, /^Start the service/],
  ['there is no such name', async () => 'http://nowhere.invalid', /ENOTFOUND|EAI_AGAIN/, /^Let the name lead here/],
])('a public URL where %s: a problem', async (_name, url, what, mend) => {
  const config = { ...service.services.config, baseUrl: await url() }

  const { 'public-url': finding } = byCheck(await examineService({ ...service.services, config }, authConfig))

  expect(finding).toMatchObject({ level: 'problem', what: saying(what), mend: saying(mend) })
})

/** A change of what is answered. */
const changing = (change: (headers: IncomingHttpHeaders) => IncomingHttpHeaders): Habits => ({
  response: (headers) => ({ ...headers, ...change(headers) }),
})
const later = (ms: number) => changing(() => ({ date: new Date(Date.now() + ms).toUTCString() }))
const cookiesAs = (change: (cookie: string) => string) =>
  changing(({ 'set-cookie': cookies }) => (cookies ? { 'set-cookie': cookies.map(change) } : {}))

test.each<[string, Habits, string, string, RegExp]>([
  [
    'keeps answers, by their age',
    changing(() => ({ age: '7' })),
    'caching',
    'problem',
    /keeps answers that say no-store/,
  ],
  ['keeps answers, by their id', changing(() => ({ 'x-request-id': 'one' })), 'caching', 'problem', /keeps answers/],
  [
    'takes the id of answers away',
    { response: (headers) => without(headers, 'x-request-id') },
    'caching',
    'warning',
    /X-Request-Id does not arrive/,
  ],
  ['runs two minutes ahead', later(120_000), 'clock', 'problem', /the public URL is 1(19|20) s ahead/],
  ['runs two minutes late', later(-120_000), 'clock', 'problem', /is 1(19|20) s behind/],
  ['runs some seconds ahead', later(4_500), 'clock', 'warning', /is [34] s ahead/],
  [
    'takes cookies away',
    { response: (headers) => without(headers, 'set-cookie') },
    'cookies',
    'problem',
    /no cookie arrives/,
  ],
  [
    'takes HttpOnly away',
    cookiesAs((text) => text.replace('; HttpOnly', '')),
    'cookies',
    'problem',
    /without HttpOnly$/,
  ],
  ['changes SameSite', cookiesAs((text) => text.replace('=Lax', '=None')), 'cookies', 'problem', /without SameSite$/],
  ['changes the path', cookiesAs((text) => text.replace('Path=/', 'Path=/auth')), 'cookies', 'problem', /another path/],
  ['adds a domain', cookiesAs((text) => `${text}; Domain=localhost`), 'cookies', 'problem', /for other hosts too/],
])('a proxy that %s', async (_name, habits, check, level, what) => {
  const findings = await findingsWith(habits)

  expect(findings['public-url']?.level).toBe('ok')
  expect(findings[check]).toMatchObject({ level, what: saying(what), mend: saying(/./) })
})

test('a proxy that does not pass /health on: a problem, and it is said that more could not be seen', async () => {
  const findings = await findingsWith({ path: (path) => path.replace('/health', '/healthy') })

  expect(findings['ready']).toMatchObject({ level: 'problem', what: saying(/answered with 404/) })
  expect(findings['forwarded-headers']).toMatchObject({ level: 'warning', what: saying(/is not told \(status 404\)/) })
})

test('a sign-out that is refused: a warning, as cookies could not be seen', async () => {
  const { cookies } = await findingsWith({ path: (path) => path.replace('/sign-out', '/sign-outside') })

  expect(cookies).toMatchObject({ level: 'warning', what: saying(/answered with 404/) })
})
