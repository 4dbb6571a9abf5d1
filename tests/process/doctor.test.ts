import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Finding } from '../../src/doctor/finding.ts'
import { databaseUrl, onPostgres, onServer } from '../support/database-template.ts'
import { byCheck } from '../support/examined.ts'
import { createTestDatabase, password, secret } from '../support/harness.ts'
import { onDatabase } from '../support/listening.ts'
import { buildService, processEnv, startProcess } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const main = join(root, 'dist/src/main.js')

/** The variables of a service on a database of its own. */
async function settings(): Promise<Record<string, string>> {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const port = String(await freePort())
  return { PORT: port, BETTER_AUTH_URL: `http://localhost:${port}`, BETTER_AUTH_SECRET: secret, ...env }
}

/** Runs `admin doctor` as an operator does. */
async function doctor(env: Record<string, string>, args: string[] = [], before: string[] = []) {
  const [file = '', ...rest] = [...before, process.execPath, main, 'admin', 'doctor', ...args]
  const child = spawn(file, rest, { cwd: root, env: processEnv(env) })
  child.stdin.end()
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

/** What it finds, by check. */
async function findings(env: Record<string, string>, before: string[] = []): Promise<Record<string, Finding>> {
  return byCheck(JSON.parse((await doctor(env, ['--json'], before)).stdout) as Finding[])
}

const saying = (what: RegExp) => expect.stringMatching(what) as string

describe('npm run admin -- doctor', () => {
  test('beside a service that is set up well has nothing to mend, as text and as JSON', async () => {
    const env = { ...(await settings()), ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password }
    const service = startProcess(root, env)
    await service.ready()

    const [shown, told] = [await doctor(env), await doctor(env, ['--json'])]

    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(told).toMatchObject({ code: 0, stderr: '' })
    const all = JSON.parse(told.stdout) as Finding[]
    expect(all.filter(({ level }) => level !== 'ok')).toEqual([])
    const checks = ['database', 'database-clock', 'migrations', 'signing-key', 'admin', 'notifications', 'public-url']
    expect(Object.keys(byCheck(all))).toEqual(
      expect.arrayContaining([...checks, 'ready', 'caching', 'clock', 'cookies', 'forwarded-headers', 'mail', 'node']),
    )
    const lines = shown.stdout.split('\n')
    const words = lines.map((line) => line.replaceAll(/ +/g, ' '))
    const expected = all.filter(({ check }) => check !== 'disk').map(({ check, what }) => `ok ${check} ${what}`)
    expect(words).toEqual(expect.arrayContaining(expected))
    expect(lines.at(-2)).toBe(`problems: 0, warnings: 0, ok: ${all.length}`)
    // It is the service that is asked for what it knows, and nothing is shown of it.
    for (const hidden of [secret, password, 'postgres://']) expect(shown.stdout + told.stdout).not.toContain(hidden)
    // A beat that comes late on a busy machine is told of, too.
    expect(service.log().filter(({ level }) => Number(level) > 40)).toEqual([])
  })

  test('with a warning still ends well; with a problem it does not, and says how to mend it', async () => {
    const env = await settings()
    const service = startProcess(root, env)
    await service.ready()

    const warned = await doctor(env)
    expect(warned).toMatchObject({
      code: 0,
      stderr: '',
      stdout: saying(/^warning +admin +there is no admin yet\n +→ .*npm run admin -- create/m),
    })
    expect(warned.stdout).toMatch(/^problems: 0, warnings: 1, ok: \d+$/m)

    service.kill('SIGINT')
    await service.exited
    const stopped = await doctor(env)
    expect(stopped).toMatchObject({
      code: 1,
      stderr: '',
      stdout: saying(/^problem +public-url +.* cannot be reached: ECONNREFUSED\n +→ Start the service/m),
    })
  })

  test.each([{ args: ['--yaml'] }, { args: ['--json', 'now'] }])('shows its usage: $args', async ({ args }) => {
    expect(await doctor({}, args)).toEqual({ code: 2, stdout: '', stderr: 'usage: npm run admin -- doctor [--json]\n' })
  })

  test('tells of a configuration that cannot be used as a start does', async () => {
    const { code, stdout, stderr } = await doctor({ PORT: '0', JWT_TTL: 'canary' })

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^The configuration is not usable:\n {2}PORT: .+\n {2}JWT_TTL: .+\n$/)
    expect(stderr).not.toContain('canary')
  })
})

describe.skipIf(onPostgres)('with an embedded database (there is none with PostgreSQL)', () => {
  test('that no service holds, it says so, and makes and opens nothing', async () => {
    const env = await settings()
    const [folder, missing] = [env['DATA_DIR'] ?? '', join(env['DATA_DIR'] ?? '', 'mistyped')]
    const before = readdirSync(folder, { recursive: true })

    expect((await findings(env))['service']).toMatchObject({
      level: 'problem',
      what: saying(/^no service runs on DATA_DIR/),
    })
    expect((await findings({ ...env, DATA_DIR: missing }))['service']).toMatchObject({
      level: 'problem',
      what: saying(/^there is no folder DATA_DIR/),
    })

    expect(existsSync(missing)).toBe(false)
    expect(readdirSync(folder, { recursive: true })).toEqual(before)
  })
})

describe.skipIf(!onPostgres)('with PostgreSQL (needs TEST_DATABASE_URL)', () => {
  test('that is empty, it says so, and makes nothing there', async () => {
    const server = process.env['TEST_DATABASE_URL'] ?? ''
    const name = `latchkey_doctor_${process.pid}`
    await onServer(server, `create database ${name}`)
    onTestFinished(() => onServer(server, `drop database ${name} with (force)`))
    const url = databaseUrl(server, name)

    const found = await findings({ ...(await settings()), DATABASE_URL: url, DIRECT_URL: '' })

    expect(found['migrations']).toMatchObject({
      level: 'problem',
      what: 'the database has no schema yet',
      mend: 'npm run migrate',
    })
    expect(
      await onDatabase(url, "select count(*)::int from pg_class where relnamespace = 'public'::regnamespace"),
    ).toEqual([0])
  })

  test('and another secret than that of the database, it says so, and what it cannot see then', async () => {
    const env = await settings()
    await startProcess(root, env).ready()

    const found = await findings({ ...env, BETTER_AUTH_SECRET: [...secret].reverse().join('') })

    expect(found['signing-key']).toMatchObject({ level: 'problem', what: saying(/^BETTER_AUTH_SECRET is not the one/) })
    expect(found['public-url']).toMatchObject({ level: 'ok' })
    expect(found['forwarded-headers']).toMatchObject({ level: 'warning', what: saying(/is not told \(status 404\)/) })
  })

  const faketime = '/usr/bin/faketime'
  test.skipIf(!existsSync(faketime) && !process.env['REQUIRE_PACKAGES'])(
    'and a clock that is two minutes late, it says so of both that it sees (needs faketime)',
    async () => {
      const env = await settings()
      await startProcess(root, env).ready()

      const late = await findings({ ...env, FAKETIME_DONT_FAKE_MONOTONIC: '1' }, [faketime, '-f', '-120s'])

      expect(late['database-clock']).toMatchObject({
        level: 'problem',
        what: saying(/database is 1(19|20|21) s ahead/),
      })
      expect(late['clock']).toMatchObject({ level: 'problem', what: saying(/public URL is 1(19|20|21) s ahead/) })
      expect((await findings(env))['database-clock']).toMatchObject({ level: 'ok' })
    },
  )
})
