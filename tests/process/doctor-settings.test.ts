import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { parseConfig } from '../../src/config.ts'
import { oldestNode, settingsFindings } from '../../src/doctor/settings.ts'
import { lookLater } from '../../src/look-later.ts'
import { postgres } from '../support/config-faults.ts'
import { byCheck } from '../support/examined.ts'
import { secret, startService, type TestService } from '../support/harness.ts'

const embedded = { BETTER_AUTH_URL: 'https://auth.example.com', BETTER_AUTH_SECRET: secret }
const at = (url: string) => ({ ...postgres, DATABASE_URL: url })
const remote = 'postgres://latchkey:canary@db.example.com/latchkey'

const toMend = async (env: Record<string, string>) =>
  settingsFindings(parseConfig(env)).filter(({ level }) => level !== 'ok')

test('on this machine there is nothing to mend', async () => {
  expect(await toMend({})).toEqual([])
  expect(await toMend({ RATE_LIMIT: '0', LOG_LEVEL: 'debug' })).toEqual([])
})

test('a set-up for others with all that it needs has nothing to mend', async () => {
  const env = {
    ...at(`${remote}?sslmode=verify-full`),
    TRUSTED_PROXIES: '10.0.0.0/8',
    SMTP_URL: 'smtps://mail',
    MAIL_FROM: 'a@example.com',
  }

  expect(await toMend(env)).toEqual([])
})

test.each<[string, string, Record<string, string>]>([
  ['processes', 'warning', { ...postgres, WEB_CONCURRENCY: String(Math.min(64, availableParallelism() + 1)) }],
  ['embedded-database', 'warning', embedded],
  ['secret', 'warning', { BETTER_AUTH_URL: 'https://auth.example.com' }],
  ['secret', 'ok', embedded],
  ['database-tls', 'ok', postgres],
  ['database-tls', 'ok', at('postgres:///latchkey?host=/run/postgresql')],
  ['database-tls', 'warning', at(remote)],
  ['database-tls', 'warning', at(`${remote}?sslmode=disable`)],
  ['database-tls', 'warning', at(`${remote}?sslmode=no-verify`)],
  ['database-tls', 'warning', at(`${remote}?sslmode=require&uselibpqcompat=true`)],
  ['database-tls', 'warning', at('postgres://localhost/latchkey?host=db.example.com')],
  ['database-tls', 'ok', at(`${remote}?sslmode=require`)],
  ['database-tls', 'ok', at(`${remote}?ssl=true`)],
  ['database-tls', 'warning', { ...at(`${remote}?sslmode=require`), DIRECT_URL: remote }],
  ['database-tls', 'warning', { ...at(`${remote}?sslmode=require`), DIRECT_URL: `${remote}?sslmode=no-verify` }],
  ['database-tls', 'ok', { ...at(`${remote}?sslmode=require`), DIRECT_URL: `${remote}?sslmode=verify-full` }],
  ['trusted-proxies', 'warning', postgres],
  ['trusted-proxies', 'problem', { ...postgres, TRUSTED_PROXIES: '10.0.0.1,0.0.0.0/0' }],
  ['trusted-proxies', 'problem', { TRUSTED_PROXIES: '::/0' }],
  ['trusted-origins', 'warning', { TRUSTED_ORIGINS: 'http://app.example.com' }],
  ['trusted-origins', 'ok', { TRUSTED_ORIGINS: 'https://app.example.com,http://localhost:5173' }],
  ['rate-limit', 'ok', { RATE_LIMIT: '0' }],
  ['rate-limit', 'ok', { ...postgres, RATE_LIMIT: '10' }],
  ['log-level', 'warning', { ...postgres, LOG_LEVEL: 'debug' }],
  ['log-level', 'ok', { ...postgres, LOG_LEVEL: 'warn' }],
  ['mail', 'warning', postgres],
])('%s: %s with %o', async (check, level, env) => {
  const finding = byCheck(settingsFindings(parseConfig(env)))[check]

  expect(finding?.level).toBe(level)
  expect(finding?.mend === undefined).toBe(level === 'ok')
  expect(JSON.stringify(finding)).not.toMatch(/canary/)
})

test('a kept secret that is still trusted beside others is told of, until its file is gone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-secret-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const env = { BETTER_AUTH_URL: 'https://auth.example.com', BETTER_AUTH_SECRETS: `2:${secret}`, DATA_DIR: folder }
  const finding = (more = {}) => byCheck(settingsFindings(parseConfig({ ...env, ...more })))['secret']

  expect(finding()).toMatchObject({ level: 'ok', what: 'the secrets are set' })
  writeFileSync(join(folder, 'secret'), `${secret}\n`)
  expect(finding()).toMatchObject({ level: 'warning', what: expect.stringContaining('is trusted beside') as string })
  expect(finding({ BETTER_AUTH_URL: 'http://localhost:3000' })).toMatchObject({ level: 'ok' })
  expect(finding({ BETTER_AUTH_SECRET: secret })).toMatchObject({ level: 'ok', what: 'the secret is set' })
})

test.each<[number, string, Record<string, string>]>([
  [0o600, 'ok', postgres],
  [0o640, 'ok', postgres],
  [0o644, 'warning', postgres],
  [0o606, 'warning', embedded],
  [0o644, 'ok', {}],
])('an .env of mode %o: %s', (mode, level, env) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-env-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, '.env')
  const found = () => byCheck(settingsFindings(parseConfig(env), undefined, file))['environment']?.level

  expect(found()).toBeUndefined()
  writeFileSync(file, `BETTER_AUTH_SECRET=${secret}\n`)
  chmodSync(file, mode)
  expect(found()).toBe(level)
})

test.each([
  ['18.20.8', 'problem'],
  ['20.18.3', 'problem'],
  ['20.19.0', 'ok'],
  ['22.0.0', 'ok'],
])('Node %s: %s', async (version, level) => {
  expect(byCheck(settingsFindings(parseConfig({}), version))['node']?.level).toBe(level)
})

test('the oldest Node is that of package.json', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } }
  expect(engines.node).toBe(`>=${oldestNode}`)
})

/** Makes a file system of so many megabytes, until the test ends. */
function fileSystem(size: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-disk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m`, 'none', folder])
  onTestFinished(() => void execFileSync('umount', [folder]))
  return folder
}

/** Whether this user may mount, in a space of its own. */
const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test.skipIf(!canMount).each([
  [50, 'problem'],
  [500, 'warning'],
  [2_000, 'ok'],
])('%i MB for the embedded database: %s (needs the right to mount)', async (size, level) => {
  const findings = settingsFindings(parseConfig({ DATA_DIR: fileSystem(size) }))

  expect(byCheck(findings)['disk']?.level).toBe(level)
})

describe('what is to be mended is told at start, a line each', () => {
  const warnings = (lines: string[]) =>
    lines
      .map((line) => JSON.parse(line) as { level: number; check?: string; msg: string })
      // The harness asks for any port.
      .filter(({ level, msg }) => level > 30 && !msg.startsWith('port 0 is taken'))

  test('not a word of it on this machine', async () => {
    const service = await startService()
    onTestFinished(() => service.stop())

    expect(warnings(service.logLines())).toEqual([])
  })

  test('all of it for a public set-up, once', async () => {
    const service = await startService({ env: { BETTER_AUTH_URL: 'https://auth.example.com', LOG_LEVEL: 'debug' } })
    onTestFinished(() => service.stop())

    const told = warnings(service.logLines())
    const expected = settingsFindings(service.services.config).filter(({ level }) => level !== 'ok')
    expect(told).toMatchObject(expected.map(({ check, what, mend }) => ({ level: 40, check, msg: `${what}. ${mend}` })))
    expect(expected.map(({ check }) => check)).toEqual(expect.arrayContaining(['trusted-proxies', 'log-level', 'mail']))
  })

  // Nobody is there.
  const asPublic = ({ services }: TestService) => ({
    ...services,
    config: { ...services.config, baseUrl: 'https://127.0.0.1:1', isLoopback: false },
  })

  test('and a while later what is to be seen of a public set-up, once', async () => {
    const service = await startService()
    onTestFinished(() => service.stop())
    lookLater({ services: asPublic(service), isReady: () => true }, authConfig, 0)

    await expect.poll(() => warnings(service.logLines()).length, { timeout: 30_000 }).toBeGreaterThan(0)
    expect(warnings(service.logLines())).toEqual([
      expect.objectContaining({
        level: 40,
        check: 'admin',
        msg: expect.stringMatching(/^there is no admin yet\. /) as string,
      }),
      expect.objectContaining({
        check: 'public-url',
        msg: expect.stringMatching(/cannot be reached: /) as string,
      }),
    ])
  })

  test('but not on this machine, and not once the service stops', async () => {
    const service = await startService()
    onTestFinished(() => service.stop())
    let asked = 0
    const isStopping = () => {
      asked++
      return false
    }
    lookLater({ services: service.services, isReady: isStopping }, authConfig, 0)
    lookLater({ services: asPublic(service), isReady: isStopping }, authConfig, 0)

    await expect.poll(() => asked, { timeout: 10_000 }).toBe(1)
    expect(warnings(service.logLines())).toEqual([])
  })
})
