import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { variables } from '../../src/config.ts'
import { codeIn, readme, section } from '../support/readme.ts'
import { startProgram } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }

/** What the first column of the table in a section names. */
const named = (title: string) =>
  section(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))

test('the table of settings names every variable once', () => {
  expect(named('Configure it').toSorted()).toEqual(variables.toSorted())
})

test('every command of the README is a script of package.json', () => {
  const commands = [...readme.matchAll(/npm (?:run (?:--silent )?([\w:]+)|(start|test))/g)].map(
    ([, script, short]) => script ?? short,
  )
  expect(new Set(commands)).toContain('start')
  expect(commands.filter((name) => name === undefined || !(name in scripts))).toEqual([])
})

const hasCurl = spawnSync('curl', ['--version']).status === 0 && spawnSync('bash', ['--version']).status === 0

test.skipIf(!hasCurl && !process.env['REQUIRE_PACKAGES'])(
  'the walk-through does what it says when pasted as it stands (needs bash and curl)',
  async () => {
    const clone = mkdtempSync(join(tmpdir(), 'latchkey-readme-'))
    onTestFinished(() => rmSync(clone, { recursive: true, force: true }))
    const left = ['.git', '.data', 'dist', 'coverage', 'node_modules']
    cpSync('.', clone, { recursive: true, filter: (path) => !left.includes(basename(path)) })
    symlinkSync(resolve('node_modules'), join(clone, 'node_modules'))
    // What it reaches is measured by the tests of its parts.
    const env = { PORT: String(await freePort()), HOME: clone, NODE_V8_COVERAGE: '' }
    const service = startProgram(['npm', 'start'], env, clone)
    onTestFinished(async () => {
      // The service itself: npm, when it is killed, leaves it behind.
      const lock = join(clone, '.data', 'lock')
      if (!existsSync(lock)) return
      process.kill((JSON.parse(readFileSync(lock, 'utf8')) as { pid: number }).pid, 'SIGTERM')
      await service.exited
    })
    const url = await service.ready()
    const script = codeIn('Use it', 'sh')

    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euc', script.replace('http://localhost:3000', url)],
      // As in the README the command finds the data of the service in its folder.
      { cwd: clone, env: { PATH: process.env['PATH'], HOME: clone } },
    )

    const [ada, bob, me, granted, users, banned, refused] = stdout.split('\n').filter(Boolean)
    expect(JSON.parse(ada ?? '')).toMatchObject({ user: { email: 'ada@example.com' } })
    expect(JSON.parse(bob ?? '')).toMatchObject({ user: { email: 'bob@example.com' } })
    expect(JSON.parse(me ?? '')).toMatchObject({ email: 'ada@example.com', role: 'user' })
    expect(granted).toBe('ada@example.com has the role admin now.')
    expect(JSON.parse(users ?? '')).toMatchObject({ data: [{ email: 'bob@example.com', banned: false }] })
    expect(JSON.parse(banned ?? '')).toMatchObject({ email: 'bob@example.com', banned: true, banReason: 'Spam' })
    expect(JSON.parse(refused ?? '')).toMatchObject({ status: 401, type: '/problems/banned' })
  },
)
