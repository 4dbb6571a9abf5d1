import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { afterAll, inject } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import type { AuthConfig } from '../../src/auth/auth-config.ts'
import { parseConfig } from '../../src/config.ts'
import type { Db } from '../../src/db/database.ts'
import { createLog } from '../../src/log.ts'
import { type Running, serve } from '../../src/process.ts'
import type { Services } from '../../src/services.ts'
import { copyFolder, databaseUrl, onServer } from './database-template.ts'
import { assertDocumented } from './documented.ts'
import { assertHeaders } from './held-headers.ts'
import { assertTellsNoSecret, createLogWatch, type LogWatch } from './leaks.ts'
import { through } from './pgbouncer.ts'

/** Environment variables of a fresh copy of the migrated database, and how to remove it. */
export interface TestDatabase {
  env: Record<string, string>
  remove: () => Promise<void>
}

/** Copies the migrated database: the embedded one, or one on PostgreSQL with TEST_DATABASE_URL. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('template')
  if (template.kind === 'embedded') {
    const folder = copyFolder(template.folder)
    return { env: { DATA_DIR: folder }, remove: async () => rmSync(folder, { recursive: true, force: true }) }
  }
  const name = `latchkey_test_${randomUUID().replaceAll('-', '')}`
  await onServer(template.server, `create database ${name} template ${template.name}`)
  const url = databaseUrl(template.server, name)
  const pooler = process.env['TEST_POOLER']
  return {
    env: pooler ? { DATABASE_URL: through(pooler)(url), DIRECT_URL: url } : { DATABASE_URL: url },
    remove: () => onServer(template.server, `drop database ${name} with (force)`),
  }
}

/** The URL of a test's database on PostgreSQL, past any pooler; empty for an embedded one. */
export function directUrl(env: Record<string, string>): string {
  return env['DIRECT_URL'] ?? env['DATABASE_URL'] ?? ''
}

export interface RequestOptions {
  method?: string
  /** A bearer token. */
  token?: string
  /** The value of a Cookie header. */
  cookie?: string
  /** Sent as JSON. */
  json?: unknown
  headers?: Record<string, string>
  /** Sent as it is. */
  body?: string
}

export interface TestUser {
  id: string
  email: string
}

/** A user with a session of theirs, as a browser (cookie) and as an API client (token) would hold it. */
export interface SignedIn extends TestUser {
  sessionId: string
  cookie: string
  token: string
}

/** The real service on its own port and its own database, with shortcuts for arranging a test. */
export interface TestService {
  url: string
  /** The origin that the service calls itself. */
  baseUrl: string
  services: Services
  db: Db
  env: Record<string, string>
  /** The log lines so far. */
  logLines: () => string[]
  request: (path: string, options?: RequestOptions) => Promise<Response>
  /** A user row without a password. */
  createUser: (values?: { email?: string; name?: string; role?: string; emailVerified?: boolean }) => Promise<TestUser>
  /** A live session for a user, with its cookie and a JWT from /api/auth/token. */
  signIn: (user: TestUser) => Promise<SignedIn>
  /** A user of a role, signed in. */
  createSignedIn: (role?: string) => Promise<SignedIn>
  /** A JWT signed with the service's own key, with claims of one's choice. */
  signJwt: (claims: Record<string, unknown>) => Promise<string>
  stop: () => Promise<void>
}

export const password = 'correct horse battery'
export const secret = randomBytes(32).toString('base64url')

/** Starts the service. `env` adds to or replaces its variables; an empty value unsets one. */
export async function startService({
  env: extra = {},
  auth = authConfig,
  database,
}: {
  env?: Record<string, string>
  auth?: AuthConfig
  database?: TestDatabase
} = {}): Promise<TestService> {
  const own = database ?? (await createTestDatabase())
  const env: Record<string, string> = {
    BETTER_AUTH_SECRET: secret,
    BETTER_AUTH_URL: '',
    // A service that calls itself public cannot be without.
    RATE_LIMIT: extra['BETTER_AUTH_URL']?.startsWith('https://') ? '9999999' : '0',
    ...own.env,
    ...extra,
  }
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString().trimEnd().split('\n'))
      done()
    },
  })
  // With PostgreSQL a public URL is demanded, which is known only once the port is.
  const configFor = (port: number) =>
    parseConfig({ ...env, PORT: String(port), BETTER_AUTH_URL: env['BETTER_AUTH_URL'] || `http://localhost:${port}` })
  const log = createLog('info', destination)
  const running = await serve({ ...configFor(1), port: 0, host: '127.0.0.1' }, auth, log, (port) => ({
    ...configFor(port),
    host: '127.0.0.1',
  }))
  const watch = createLogWatch(password, env['BETTER_AUTH_SECRET'] ?? '')
  return arrange({ running, env, lines, watch }, async () => {
    const events = await auditLines(running.services.db)
    await running.stop()
    if (!database) await own.remove()
    watch.assertClean(lines)
    watch.assertClean(events)
  })
}

/** Starts the service for one test file and stops it after the last test. */
export async function startServiceForFile(options?: Parameters<typeof startService>[0]): Promise<TestService> {
  const service = await startService(options)
  afterAll(() => service.stop())
  return service
}

const mostLines = 20_000

/** The events of the audit log as text, without their hashes; none where the test has ended the database. */
async function auditLines(db: Db): Promise<string[]> {
  const newest = sql<{ line: string }>`
    select (to_jsonb(e) - 'hash')::text as line from audit_event as e order by seq desc limit ${mostLines}`
  const { rows } = await newest.execute(db).catch(() => ({ rows: [] }))
  return rows.map(({ line }) => line)
}

interface Started {
  running: Running
  env: Record<string, string>
  lines: string[]
  watch: LogWatch
}

function arrange({ running, env, lines, watch }: Started, stop: () => Promise<void>): TestService {
  const { services, url, config } = running
  const { db } = services

  async function request(
    path: string,
    { method, token, cookie, json, headers, body }: RequestOptions = {},
  ): Promise<Response> {
    const verb = method ?? (json === undefined && body === undefined ? 'GET' : 'POST')
    const response = await fetch(`${url}${path}`, {
      method: verb,
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(cookie !== undefined && { cookie, origin: config.baseUrl }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
    })
    assertHeaders({ baseUrl: config.baseUrl, path, method: verb }, response)
    await assertTellsNoSecret(path, response)
    await assertDocumented(services, path, verb, response)
    return response
  }

  async function createUser(
    { email, name = 'Test User', role = 'user', emailVerified = true } = {} as Parameters<
      TestService['createUser']
    >[0] &
      object,
  ) {
    const user = { id: randomUUID(), email: email ?? `${randomUUID()}@example.com` }
    await db
      .insertInto('user')
      .values({ ...user, name, role, email_verified: emailVerified })
      .execute()
    return user
  }

  async function signIn(user: TestUser): Promise<SignedIn> {
    const sessionId = randomUUID()
    const sessionToken = randomBytes(24).toString('base64url')
    const now = new Date()
    const expires = new Date(now.getTime() + 7 * 86_400_000)
    await db
      .insertInto('session')
      .values({
        id: sessionId,
        token: sessionToken,
        user_id: user.id,
        created_at: now,
        updated_at: now,
        expires_at: expires,
        not_after: expires,
      })
      .execute()
    const signature = createHmac('sha256', env['BETTER_AUTH_SECRET'] ?? '')
      .update(sessionToken)
      .digest('base64')
    const cookie = `${services.sessionCookies.name}=${encodeURIComponent(`${sessionToken}.${signature}`)}`
    const response = await request('/api/auth/token', { cookie })
    const { token } = (await response.json()) as { token: string }
    for (const held of [cookie.slice(cookie.indexOf('=') + 1), token]) watch.know(held)
    return { ...user, sessionId, cookie, token }
  }

  return {
    url,
    baseUrl: config.baseUrl,
    services,
    db,
    env,
    logLines: () => lines,
    request,
    createUser,
    signIn,
    createSignedIn: async (role = 'user') => signIn(await createUser({ role })),
    async signJwt(claims) {
      const { token } = await services.auth.api.signJWT({ body: { payload: claims } })
      return token
    },
    stop,
  }
}
