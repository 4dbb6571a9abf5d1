import { expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const [ada, bob] = await Promise.all([service.createSignedIn('admin'), service.createSignedIn('user')])
const { auth, authFetch } = service.services

const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', origin: service.baseUrl, ...headers },
  body: JSON.stringify(body),
})

test.each<[string, string, RequestInit]>([
  ['a page of nobody', '/ok', {}],
  ['a path that is not', '/nothing-here', {}],
  ['a path outside', '/../elsewhere', {}],
  ['a path that is closed', '/verify-password', post({ password: 'a password' })],
  ['a method that is not', '/ok', post({})],
  ['a session', '/get-session', { headers: { cookie: ada.cookie } }],
  ['no session', '/get-session', {}],
  ['a rule of the service', '/admin/list-users', { headers: { cookie: bob.cookie } }],
  ['what an admin may', '/admin/list-users', { headers: { cookie: ada.cookie } }],
  ['an origin that is not trusted', '/sign-out', post({}, { cookie: bob.cookie, origin: 'https://example.org' })],
  ['a body that does not fit', '/sign-in/email', post({ email: 1 })],
  ['a body of another kind', '/sign-in/email', { ...post({}), headers: { 'content-type': 'text/plain' } }],
])('%s: the one router answers as the one of each request', async (_what, path, init) => {
  const request = () => new Request(`${service.baseUrl}/api/auth${path}`, init)
  const answers = await Promise.allSettled([auth.handler(request()), authFetch(request())])
  const [theirs, ours] = await Promise.all(
    answers.map(async (answer) =>
      answer.status === 'rejected'
        ? { rejected: String(answer.reason) }
        : { status: answer.value.status, headers: [...answer.value.headers], body: await answer.value.text() },
    ),
  )

  expect(ours).toEqual(theirs)
})

test('nothing that is done writes to what all requests share', async () => {
  // What is frozen throws when it is written to, which would be answered 500.
  Object.freeze(await auth.$context)
  const grace = { email: 'grace@example.com', password, name: 'Grace', role: 'user', emailVerified: true }
  await service.services.userAccounts.create(grace)
  const passers = await Promise.all(Array.from({ length: 6 }, () => service.createSignedIn()))
  const steps: ((person: (typeof passers)[number]) => [string, RequestInit])[] = [
    () => ['/sign-in/email', post({ email: grace.email, password })],
    ({ cookie }) => ['/token', { headers: { cookie } }],
    ({ cookie }) => ['/update-user', post({ name: 'Augusta' }, { cookie })],
    ({ cookie }) => ['/list-sessions', { headers: { cookie } }],
    ({ id }) => ['/admin/impersonate-user', post({ userId: id }, { cookie: ada.cookie })],
    ({ cookie }) => ['/sign-out', post({}, { cookie })],
  ]
  for (const step of steps) {
    const responses = await Promise.all(
      passers.map((person) => {
        const [path, init] = step(person)
        return authFetch(new Request(`${service.baseUrl}/api/auth${path}`, init))
      }),
    )
    expect(responses.map(({ status }) => status)).toEqual(passers.map(() => 200))
  }
})

test('requests at once are each answered for their own session', async () => {
  const people = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? ada : bob))
  const bodies = await Promise.all(
    people.map(async ({ cookie }) => {
      const response = await authFetch(new Request(`${service.baseUrl}/api/auth/get-session`, { headers: { cookie } }))
      return (await response.json()) as { user: { id: string } }
    }),
  )

  expect(bodies.map(({ user }) => user.id)).toEqual(people.map(({ id }) => id))
})
