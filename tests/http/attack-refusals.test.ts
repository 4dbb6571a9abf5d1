import { describe, expect, test } from 'vitest'
import { loadDocuments, operationsOf } from '../support/document.ts'
import { startServiceForFile } from '../support/harness.ts'
import { sendOnce } from '../support/raw-http.ts'

const service = await startServiceForFile()
const { request } = service
const { auth } = await loadDocuments(service)
const admin = await service.createSignedIn('admin')
const json = { 'content-type': 'application/json' }
const origin = { origin: service.baseUrl }

const linesOf = async (ask: () => Promise<unknown>) => {
  const before = service.logLines().length
  await ask()
  return service
    .logLines()
    .slice(before)
    .map((line) => JSON.parse(line) as { level: number; msg: string })
}

const readers = operationsOf(auth).filter(({ operation }) => operation.requestBody?.content['application/json'])

describe.each(readers)('N-07 /api/auth: $name', ({ method, path }) => {
  test.each(['""', '"text"', '7', 'true', 'null', '[]', '[{}]'])('fails for no body such as %s', async (body) => {
    const target = `/api/auth${path.replace(/\{\w+\}/, 'nothing')}`
    const { cookie } = await service.createSignedIn('admin')
    const options = { method: method.toUpperCase(), body, headers: json }
    for (const credential of [{}, { cookie }]) {
      const { status } = await request(target, { ...options, ...credential, headers: { ...json, ...origin } })
      expect(status).toBeLessThan(500)
    }
  })
})

test('N-26 a refusal of Better-Auth has a code and a message, whichever it left out', async () => {
  const stop = (options: object) =>
    request('/api/auth/admin/stop-impersonating', { method: 'POST', headers: origin, ...options })
  const answers = [await stop({}), await stop({ cookie: admin.cookie })]
  expect(answers.map(({ status, headers }) => [status, headers.get('content-type')])).toEqual([
    [401, 'application/json'],
    [400, 'application/json'],
  ])
  expect(await Promise.all(answers.map((answer) => answer.json() as Promise<unknown>))).toEqual([
    { code: 'UNAUTHORIZED', message: 'Unauthorized' },
    { code: 'BAD_REQUEST', message: 'You are not impersonating anyone' },
  ])
})

test.each(['/callback/google', '/reset-password/x?callbackURL=%2Faccount', '/oauth2/authorize', '/error'])(
  'H-09 GET %s leads on, and calls nothing JSON',
  async (path) => {
    const { status, headers } = await request(`/api/auth${path}`)
    expect([status, headers.get('content-type')]).toEqual([302, null])
  },
)

test('N-08 a callback whose body is too large ends its connection', async () => {
  const head = `POST /api/auth/callback/google HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
  const body = `"${'x'.repeat(70_000)}"`
  const answer = await sendOnce(service, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
  expect(answer.status).toBe(303)
  expect(answer.head).toContain('location: /error?error=payload-too-large')
  expect(answer.head).toContain('connection: close')
})

describe('D-11 what a stranger sends is no failure of ours, and little of it is logged', () => {
  test.each(['callbackURL', 'errorCallbackURL', 'newUserCallbackURL'])('as %s', async (name) => {
    const body = { provider: 'google', [name]: `https://evil.example/${'x'.repeat(20_000)}` }
    const lines = await linesOf(() => request('/api/auth/sign-in/social', { json: body, headers: origin }))
    const told = lines.find(({ msg }) => msg.startsWith(`Invalid ${name}: https://evil.example`))
    expect([told?.level, (told?.msg.length ?? 0) < 400]).toEqual([40, true])
  })

  test('as an origin', async () => {
    const lines = await linesOf(() =>
      request('/api/auth/sign-out', {
        method: 'POST',
        cookie: admin.cookie,
        headers: { origin: 'https://evil.example' },
      }),
    )
    expect(lines.find(({ msg }) => msg === 'Invalid origin: https://evil.example')?.level).toBe(40)
  })
})
