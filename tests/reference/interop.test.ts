import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createAuthClient } from 'better-auth/client'
import { adminClient, jwtClient } from 'better-auth/client/plugins'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'

const run = promisify(execFile)
const service = await startServiceForFile()

describe('a back end in Python', () => {
  const python = '/usr/bin/python3'
  const missing = missingModules()
  const note = missing && ` (skipped: ${missing})`
  const isSkipped = missing !== '' && !process.env['REQUIRE_PACKAGES']

  test.skipIf(isSkipped)(`verifies a token by the JWKS, with python-jose and with PyJWT${note}`, async () => {
    const ada = await service.createSignedIn('moderator')

    const outcomes = await verify({ good: ada.token })

    const claims = { sub: ada.id, sid: ada.sessionId, email: ada.email, role: 'moderator' }
    expect(outcomes).toEqual({
      'python-jose': { good: { claims: expect.objectContaining(claims) } },
      PyJWT: { good: { claims: expect.objectContaining(claims) } },
    })
  })

  test.skipIf(isSkipped)(`refuses what was altered, expired or meant for another${note}`, async () => {
    const ada = await service.createSignedIn()
    const [header, payload = '', signature] = ada.token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    const promoted = Buffer.from(JSON.stringify({ ...claims, role: 'admin' })).toString('base64url')
    const now = Math.floor(Date.now() / 1_000)

    const outcomes = await verify({
      altered: [header, promoted, signature].join('.'),
      expired: await service.signJwt({ ...claims, iat: now - 120, exp: now - 60 }),
      elsewhere: await service.signJwt({ ...claims, aud: 'https://elsewhere.example' }),
      foreign: await service.signJwt({ ...claims, iss: 'https://elsewhere.example' }),
    })

    expect(outcomes).toEqual({
      'python-jose': {
        altered: { error: 'JWTError' },
        expired: { error: 'ExpiredSignatureError' },
        elsewhere: { error: 'JWTClaimsError' },
        foreign: { error: 'JWTClaimsError' },
      },
      PyJWT: {
        altered: { error: 'InvalidSignatureError' },
        expired: { error: 'ExpiredSignatureError' },
        elsewhere: { error: 'InvalidAudienceError' },
        foreign: { error: 'InvalidIssuerError' },
      },
    })
  })

  function missingModules(): string {
    try {
      execFileSync(python, ['-c', 'import jose, jwt, cryptography'], { stdio: 'pipe' })
      return ''
    } catch (error) {
      return (error as Error).message.trim().split('\n').at(-1) ?? 'no Python'
    }
  }

  async function verify(tokens: Record<string, string>): Promise<unknown> {
    const running = run(python, ['tests/clients/verify.py'])
    running.child.stdin?.end(
      JSON.stringify({
        jwks_url: `${service.url}/api/auth/jwks`,
        issuer: `${service.baseUrl}/api/auth`,
        audience: `${service.baseUrl}/api/v1`,
        tokens,
      }),
    )
    return JSON.parse((await running).stdout)
  }
})

describe("Better-Auth's own client", () => {
  test('signs up, in and out, and reads its session and its token', async () => {
    const client = createClient()
    const email = 'grace@example.com'

    const signUp = await client.signUp.email({ email, password, name: 'Grace Hopper' })
    await client.signOut()
    const nobody = await client.getSession()
    const wrong = await client.signIn.email({ email, password: 'not the password' })
    const signIn = await client.signIn.email({ email, password })
    const session = await client.getSession()
    const token = await client.token()

    expect(signUp.data?.user).toMatchObject({ email, name: 'Grace Hopper' })
    expect(nobody).toEqual({ data: null, error: null })
    expect(wrong.error).toMatchObject({ status: 401, code: 'INVALID_EMAIL_OR_PASSWORD' })
    expect(signIn.data?.user.id).toBe(signUp.data?.user.id)
    expect(session.data?.user).toMatchObject({ email, role: 'user', banned: false })
    const me = await service.request('/api/v1/auth/me', { token: token.data?.token ?? '' })
    expect(await me.json()).toMatchObject({ id: signIn.data?.user.id, email })

    await client.signOut()
    const after = await service.request('/api/v1/auth/me', { token: token.data?.token ?? '' })
    expect(await after.json()).toMatchObject({ type: '/problems/session-ended' })
  })

  test('manages users as an admin', async () => {
    const root = await service.createSignedIn('admin')
    const ada = await service.createSignedIn()
    const { admin } = createClient(root.cookie)
    const userId = ada.id
    const find = async () => {
      const query = { filterField: 'id', filterValue: userId }
      return (await admin.listUsers({ query })).data?.users[0]
    }

    const created = await admin.createUser({ email: 'lin@example.com', password, name: 'Lin', role: 'user' })
    const listed = await admin.listUsers({ query: { searchField: 'email', searchValue: 'lin@' } })
    expect(created.data?.user).toMatchObject({ email: 'lin@example.com', role: 'user' })
    expect(listed.data).toMatchObject({ total: 1, users: [{ id: created.data?.user.id }] })

    const sessions = await admin.listUserSessions({ userId })
    expect(sessions.data?.sessions).toMatchObject([{ id: ada.sessionId, userId }])
    expect(await admin.revokeUserSessions({ userId })).toMatchObject({ data: { success: true }, error: null })
    expect((await admin.listUserSessions({ userId })).data?.sessions).toEqual([])

    expect(await admin.setRole({ userId, role: 'admin' })).toMatchObject({ data: { user: { role: 'admin' } } })
    expect(await find()).toMatchObject({ role: 'admin' })
    expect(await admin.setRole({ userId, role: 'user' })).toMatchObject({ data: { user: { role: 'user' } } })

    await admin.banUser({ userId, banReason: 'Spam' })
    expect(await find()).toMatchObject({ banned: true, banReason: 'Spam' })
    await admin.unbanUser({ userId })
    expect(await find()).toMatchObject({ banned: false, banReason: null })

    expect(await admin.removeUser({ userId })).toMatchObject({ data: { success: true } })
    expect(await find()).toBeUndefined()
  })

  test('is refused as a plain user', async () => {
    const { cookie, id } = await service.createSignedIn()
    const { admin } = createClient(cookie)

    expect(await admin.listUsers({ query: {} })).toMatchObject({ data: null, error: { status: 403 } })
    expect(await admin.setRole({ userId: id, role: 'admin' })).toMatchObject({ data: null, error: { status: 403 } })
  })

  /** A client that keeps its cookies and sends its origin, as a browser would. */
  function createClient(cookie?: string) {
    const jar = new Map(cookie ? [cookie.split('=', 2) as [string, string]] : [])
    return createAuthClient({
      baseURL: service.baseUrl,
      plugins: [adminClient(), jwtClient()],
      fetchOptions: {
        customFetchImpl: async (url, init) => {
          const headers = new Headers(init?.headers)
          headers.set('origin', service.baseUrl)
          if (jar.size > 0) headers.set('cookie', [...jar].map((pair) => pair.join('=')).join('; '))
          const response = await fetch(url, { ...init, headers })
          for (const line of response.headers.getSetCookie()) {
            const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
            if (/max-age=0/i.test(line)) jar.delete(name)
            else jar.set(name, value)
          }
          return response
        },
      },
    })
  }
})

describe('a client generated from the OpenAPI document', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-client-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  beforeAll(async () => {
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const generator = 'tests/clients/node_modules/openapi-typescript/bin/cli.js'
    const types = join(folder, 'api.d.ts')
    await run(process.execPath, [generator, `${service.url}/api/v1/openapi.json`, '--output', types])
  })

  test('compiles, and works against the service', async () => {
    const [admin, ada] = [await service.createSignedIn('admin'), await service.createUser()]
    const file = write('good', good)

    await compile('good')
    const tsx = resolve('node_modules/tsx/dist/cli.mjs')
    const { stdout } = await run(process.execPath, [tsx, file, `${service.url}/api/v1`, admin.token, ada.email])

    expect(JSON.parse(stdout)).toEqual({
      id: ada.id,
      before: false,
      after: true,
      reason: 'Spam',
      refusal: '/problems/self-action',
    })
  })

  test('does not compile with a field, a parameter or a member that is not there', async () => {
    write('wrong', wrong)

    const output = await compile('wrong').catch((error: { stdout: string }) => error.stdout)

    expect(output.match(/'(?:rank|nmae|isBanned)'/g)).toEqual(["'rank'", "'nmae'", "'isBanned'"])
  })

  function write(name: string, source: string): string {
    const file = join(folder, `${name}.ts`)
    writeFileSync(file, source)
    const options = { extends: resolve('tsconfig.json'), include: [file] }
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(options))
    return file
  }

  async function compile(name: string): Promise<string> {
    return (await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', join(folder, `${name}.json`)])).stdout
  }

  const start = `
    import createClient from 'openapi-fetch'
    import type { paths } from './api.d.ts'

    const [baseUrl = '', token = '', email = ''] = process.argv.slice(2)
    const client = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + token } })
  `
  const good = `${start}
    const list = await client.GET('/users', { params: { query: { email, limit: 1 } } })
    const id = list.data?.data[0]?.id
    if (id === undefined) throw new Error('no user: ' + list.error?.title)
    const params = { path: { id } }
    const user = await client.GET('/users/{id}', { params })
    const banned = await client.POST('/users/{id}/ban', { params, body: { reason: 'Spam', expiresAt: null } })
    const oneself = await client.POST('/users/{id}/ban', { params: { path: { id: 'me' } }, body: {} })
    process.stdout.write(JSON.stringify({
      id,
      before: user.data?.banned,
      after: banned.data?.banned,
      reason: banned.data?.banReason,
      refusal: oneself.error?.type,
    }))
  `
  const wrong = `${start}
    const params = { path: { id: 'me' } }
    await client.PUT('/users/{id}/role', { params, body: { rank: 'admin' } })
    await client.GET('/users', { params: { query: { nmae: email } } })
    const user = await client.GET('/users/{id}', { params })
    process.stdout.write(String(user.data?.isBanned))
  `
})
