import { expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'
import { codeIn } from '../support/readme.ts'
import { newUser } from '../support/visitor.ts'
import { startChromium } from './chromium.ts'
import { run, startFrontEnd } from './front-end.ts'

const [trusted, stranger] = [await startFrontEnd(), await startFrontEnd()]
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted.origin } })
const chromium = await startChromium()
const recipe = codeIn('Use it from a front end', 'js')
for (const { write } of [trusted, stranger]) write(recipe.replace('http://localhost:3000', service.baseUrl))

async function register(): Promise<string> {
  const user = newUser()
  const response = await service.request('/api/auth/sign-up/email', {
    json: user,
    headers: { origin: service.baseUrl },
  })
  expect(response.status).toBe(200)
  return user.email
}

const signIn = (email: string) => `await app.signIn(${JSON.stringify(email)}, ${JSON.stringify(password)})`
const whoAmI = 'return (await (await app.api("/auth/me")).json()).email'

test('the code of the README signs in from another port, calls the API, and signs out', async () => {
  const email = await register()
  const page = await chromium.open(trusted.origin, '/', { origins: [service.baseUrl], faults: ['status of 401'] })

  expect(await run(page, `${signIn(email)}; ${whoAmI}`)).toBe(email)
  const change = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"name":"Ada King"}' }
  expect(await run(page, `return (await app.api("/users/me", ${JSON.stringify(change)})).status`)).toBe(200)
  // The session outlives the page.
  await page.reload()
  expect(await run(page, whoAmI)).toBe(email)

  expect(await run(page, `await app.auth.signOut(); ${whoAmI}`)).toBe('Error: Nobody is signed in')
  // The token of the session that has ended is replaced.
  const again = `await app.auth.signIn.email(${JSON.stringify({ email, password })})`
  expect(await run(page, `${again}; ${whoAmI}`)).toBe(email)
})

test('from an origin that is not trusted it comes to nothing, whoever is signed in', async () => {
  const email = await register()
  const page = await chromium.open(trusted.origin, '/', {
    origins: [service.baseUrl, stranger.origin],
    faults: ['blocked by CORS policy', 'net::ERR_FAILED', 'net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin'],
  })
  await run(page, signIn(email))
  const { name } = await service.db
    .selectFrom('user')
    .select('name')
    .where('email', '=', email)
    .executeTakeFirstOrThrow()
  const other = await page.context().newPage()
  await other.goto(stranger.origin)

  // One site with the trusted one: the browser sends the cookie, but neither lets an answer be read nor hides who asks.
  const request = (path: string, options: string) =>
    `await fetch("${service.baseUrl}${path}", { credentials: "include", ${options} })`
  const end = request('/api/v1/users/me/sessions', 'method: "DELETE"')
  const rename = 'method: "POST", mode: "no-cors", body: new URLSearchParams({ name: "Eve" })'
  for (const code of [signIn(email), whoAmI, end, request('/account/profile', rename)])
    expect(await run(other, code)).toBe('TypeError: Failed to fetch')

  expect(await run(page, whoAmI)).toBe(email)
  expect(await service.db.selectFrom('user').select('name').where('email', '=', email).execute()).toEqual([{ name }])
})
