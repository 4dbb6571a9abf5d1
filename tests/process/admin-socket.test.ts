import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AdminCommand } from '../../src/admin/commands.ts'
import { askRunning, serveAdmin } from '../../src/admin/socket.ts'
import { onPostgres } from '../support/database-template.ts'
import {
  createTestDatabase,
  password,
  startService,
  startServiceForFile,
  type TestService,
} from '../support/harness.ts'

const service = await startServiceForFile()
const newEmail = () => `${randomUUID()}@example.com`

async function signIn(of: TestService, email: string, secret: string): Promise<number> {
  const json = { email, password: secret }
  return (await of.request('/api/auth/sign-in/email', { json, headers: { origin: of.baseUrl } })).status
}

// With DATABASE_URL the command line opens the database itself: there is no socket.
describe.skipIf(onPostgres)('the socket beside an embedded database (there is none with PostgreSQL)', () => {
  test('carries out the commands of its owner', async () => {
    const dataDir = service.env['DATA_DIR'] ?? ''
    const email = newEmail()

    expect(await askRunning(dataDir, { command: 'create', email, password })).toEqual({
      ok: true,
      output: `${email} is an admin now.`,
    })
    expect(await askRunning(dataDir, { command: 'list' })).toMatchObject({ ok: true })
    expect(await askRunning(dataDir, { command: 'create', email, password })).toMatchObject({ ok: false })
    const unknown = await askRunning(dataDir, { command: 'drop' } as unknown as AdminCommand)
    expect(unknown).toEqual({ ok: false, output: expect.stringContaining('of another version') as string })
    expect(await signIn(service, email, password)).toBe(200)
  })

  test('is for its owner only', () => {
    const { mode } = statSync(join(service.env['DATA_DIR'] ?? '', 'admin.sock'))
    expect(mode & 0o777).toBe(0o600)
  })

  test('works in a folder whose path is too long for a socket, and is gone afterwards', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'latchkey-long-'))
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
    const database = await createTestDatabase()
    const dataDir = join(parent, 'a'.repeat(100), 'b'.repeat(100))
    mkdirSync(join(dataDir, '..'), { recursive: true })
    renameSync(database.env['DATA_DIR'] ?? '', dataDir)

    const far = await startService({ database: { env: { DATA_DIR: dataDir }, remove: database.remove } })
    onTestFinished(() => far.stop())

    expect(await askRunning(dataDir, { command: 'list' })).toEqual({ ok: true, output: 'There is no admin yet.' })
    expect(statSync(join(dataDir, 'admin.sock')).mode & 0o777).toBe(0o600)
    await far.stop()
    expect(await askRunning(dataDir, { command: 'list' })).toBeUndefined()
  })

  /** A folder with a socket of a service that answers as a test says. */
  async function folderOf(answers: RequestListener): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-socket-'))
    const server = createServer(answers).listen(join(folder, 'admin.sock'))
    await once(server, 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return folder
  }

  test.each<[string, RequestListener, RegExp]>([
    ['hangs', () => {}, /has said nothing for/],
    ['hangs while it answers', (_incoming, outgoing) => outgoing.write(' '), /has said nothing for/],
    ['dies', ({ socket }) => socket.destroy(), /gave no answer: socket hang up/],
    ['answers something else', (_incoming, outgoing) => outgoing.end('<h1>'), /gave no answer: /],
  ])('of a service that %s lets nobody wait for ever', async (_, answers, output) => {
    expect(await askRunning(await folderOf(answers), { command: 'list' }, 200)).toEqual({
      ok: false,
      output: expect.stringMatching(output) as string,
    })
  })

  test('tells that a long command is under way, and why it failed', async () => {
    let fail = (_reason: Error) => {}
    const failure = new Promise<never>((_resolve, reject) => {
      fail = reject
    })
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-socket-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const services = { ...service.services, config: { ...service.services.config, dataDir: folder } }
    onTestFinished(await serveAdmin(services, () => failure))

    const outgoing = request({ socketPath: join(folder, 'admin.sock'), method: 'POST' })
    outgoing.end(JSON.stringify({ command: 'doctor' }))
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    incoming.setEncoding('utf8')
    expect(await once(incoming, 'data')).toEqual([' '])
    const [before, rest] = [service.logLines().length, text(incoming)]
    fail(new Error('the reason, of ada@example.com'))

    expect(JSON.parse(await rest)).toEqual({ ok: false, output: 'It failed: the reason, of [e-mail]' })
    expect(
      service
        .logLines()
        .slice(before)
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      {
        level: 50,
        msg: 'a command of the operator failed',
        command: 'doctor',
        err: { message: expect.any(String) as string },
      },
    ])
  })

  test('that nobody listens on is as good as none', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'latchkey-empty-'))
    onTestFinished(() => rmSync(empty, { recursive: true, force: true }))

    expect(await askRunning(empty, { command: 'list' })).toBeUndefined()
  })
})
