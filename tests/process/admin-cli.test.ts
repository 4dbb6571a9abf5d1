import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, password, secret, startService } from '../support/harness.ts'
import { buildService, processEnv } from '../support/service-process.ts'

const root = buildService()
const main = join(root, 'dist/src/main.js')

/** The variables of an operator's shell, for a fresh database. */
async function shell(): Promise<Record<string, string>> {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  return { BETTER_AUTH_SECRET: secret, BETTER_AUTH_URL: 'http://localhost:3000', ...env }
}

/** Runs a program as an operator does, with `input` on its standard input. */
async function run(program: string[], env: Record<string, string>, input = '', prompted = false) {
  const [file = '', ...args] = program
  const child = spawn(file, args, { cwd: root, env: processEnv(env) })
  // What is typed before the prompt, the terminal itself would show.
  if (prompted) await once(child.stdout, 'data')
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

const admin = (args: string[], env: Record<string, string>, input?: string) =>
  run([process.execPath, main, 'admin', ...args], env, input)

describe('npm run admin', () => {
  test('makes an admin with a password from standard input, shows them, and keeps the last one', async () => {
    const env = await shell()

    expect(await admin(['list'], env)).toEqual({ code: 0, stdout: 'There is no admin yet.\n', stderr: '' })
    const made = await admin(['create', 'Root@Example.com'], env, `${password}\nnot this line\n`)
    expect(made).toEqual({ code: 0, stdout: 'root@example.com is an admin now.\n', stderr: '' })
    expect(await admin(['list'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^root@example.com {2}/),
    })
    expect(await admin(['grant', 'root@example.com', 'user'], env)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There must always be an active admin.\n',
    })

    const service = await startService({ database: { env, remove: async () => {} } })
    onTestFinished(() => service.stop())
    const json = { email: 'root@example.com', password }
    const response = await service.request('/api/auth/sign-in/email', { json, headers: { origin: service.baseUrl } })
    expect(response.status).toBe(200)
  })

  test('verifies the audit log, and tells a head by which to verify it later', { timeout: 180_000 }, async () => {
    const env = await shell()
    await admin(['create', 'root@example.com'], env, `${password}\n`)
    const whole = await admin(['audit', 'verify'], env)
    expect(whole).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+ events are as they were/) })
    const head = /\d+:[\da-f]{64}/.exec(whole.stdout)?.[0] ?? ''
    expect(await admin(['audit', 'verify', '--since', head], env)).toMatchObject({ code: 0 })

    const other = head.replace(/:.*/, `:${'0'.repeat(64)}`)
    expect(await admin(['audit', 'verify', '--since', other], env)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`Event ${head.split(':')[0]} is another one than the noted`),
    })
    expect(await admin(['audit', 'verify', '--since', 'yesterday'], env)).toMatchObject({ code: 2 })
    expect(await admin(['audit', 'repair'], env)).toMatchObject({ code: 2, stderr: expect.stringContaining('usage') })

    const service = await startService({ database: { env, remove: async () => {} } })
    onTestFinished(() => service.stop())
    expect(await admin(['audit', 'verify', '--since', head], env)).toMatchObject({ code: 0 })
  })

  test.skipIf(onPostgres)('makes no database for what is about users that are there (embedded only)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-data-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const missing = join(folder, 'mistyped')

    for (const args of [['list'], ['grant', 'ada@example.com', 'admin'], ['reset-password', 'ada@example.com']]) {
      expect(await admin(args, { DATA_DIR: missing }, `${password}\n`)).toEqual({
        code: 1,
        stdout: '',
        stderr: 'There is no database in DATA_DIR.\n',
      })
    }
    expect(existsSync(missing)).toBe(false)
  })

  test('works beside a running service', async () => {
    const env = await shell()
    const service = await startService({ database: { env, remove: async () => {} } })
    onTestFinished(() => service.stop())
    const ada = await service.createSignedIn()

    expect(await admin(['grant', ada.email, 'admin'], env)).toMatchObject({ code: 0, stderr: '' })
    expect(await admin(['grant', 'nobody@example.com', 'admin'], env)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no user nobody@example.com.\n',
    })
    expect((await service.request('/api/v1/users', { token: ada.token })).status).toBe(200)
    expect(await admin(['reset-password', ada.email], env, password)).toMatchObject({ code: 0, stderr: '' })
    expect((await service.request('/api/v1/users', { token: ada.token })).status).toBe(401)
  })

  test.each([
    { args: [] },
    { args: ['drop'] },
    { args: ['constructor', 'ada@example.com'] },
    { args: ['list', 'all'] },
    { args: ['create'] },
    { args: ['create', 'ada@example.com', password] },
    { args: ['grant', 'ada@example.com'] },
    { args: ['grant', 'ada@example.com', 'admin', 'now'] },
  ])('shows its usage and touches nothing: $args', async ({ args }) => {
    const env = await shell()
    const files = () => readdirSync(env['DATA_DIR'] ?? root)
    const before = files()

    const { code, stdout, stderr } = await admin(args, env, password)

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^usage: npm run admin -- create <email>/)
    expect(files()).toEqual(before)
  })

  test.each([
    { args: ['create', 'ada'], input: password, fault: /e-mail/ },
    { args: ['create', 'ada@example.com'], input: 'short\n', fault: /at least 8 characters/ },
    { args: ['create', 'ada@example.com'], input: '', fault: /at least 8 characters/ },
    { args: ['create', 'ada@example.com'], input: 'p'.repeat(129), fault: /at most 128 characters/ },
  ])('names the fault of $args', async ({ args, input, fault }) => {
    const { code, stdout, stderr } = await admin(args, await shell(), input)

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(fault)
  })

  const script = '/usr/bin/script'
  test.skipIf(process.platform !== 'linux' || !existsSync(script))(
    'asks for the password at a terminal without showing it (needs `script` of util-linux)',
    async () => {
      const env = await shell()
      const command = `'${process.execPath}' '${main}' admin create ada@example.com`

      const { code, stdout } = await run([script, '-qec', command, '/dev/null'], env, `${password}\n`, true)

      expect(code).toBe(0)
      expect(stdout).toMatch(/^\s*ada@example.com is an admin now\.\s*$/)
    },
  )
})
