import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/throwaway-postgres.ts'
import type { Bench } from './bench.ts'
import { type ServerProcess, startServer } from './processes.ts'

/** The service, as it is deployed: the compiled code, with its log written to a pipe. */
export interface Service extends ServerProcess {
  /** What it calls itself. */
  baseUrl: string
}

/** Somebody with a session. */
export interface SignedIn {
  cookie: string
  token: string
}

export const secret = 'ZmQ0YjE2NTctYmVuY2gtb25seS0wOTg3NjU0MzIx'
export const admin = { email: 'bench@example.com', password: 'correct horse battery' }
export const mePath = '/api/v1/auth/me'
export const signInPath = '/api/auth/sign-in/email'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
/** What stands between `node` and the program; the baselines get the same. */
export const startFlags = scripts.start.split(' node ').at(-1)?.split(' ').slice(0, -1) ?? []

/** Starts the service on a database, for as long as the section lasts. Its limit of requests is too high to be met. */
export async function startService(
  { options, defer }: Pick<Bench, 'options' | 'defer'>,
  database: string,
  { env = {}, nodeFlags = [] }: { env?: Record<string, string>; nodeFlags?: string[] } = {},
): Promise<Service> {
  const program = join(options.service ?? root, 'dist/src/main.js')
  if (!existsSync(program)) throw new Error('There is no dist: run npm run build')
  const port = await freePort()
  const variables = {
    DATABASE_URL: database,
    BETTER_AUTH_URL: `http://localhost:${port}`,
    BETTER_AUTH_SECRET: secret,
    HOST: '127.0.0.1',
    PORT: String(port),
    RATE_LIMIT: '9999999',
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
    ...env,
  }
  const server = await startServer({
    args: [...startFlags, ...nodeFlags, program],
    env: Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== '')),
    port,
    healthPath: '/health/ready',
  })
  defer(server.stop)
  return { ...server, baseUrl: variables.BETTER_AUTH_URL }
}

/** Starts a program of `baselines/`, for as long as the section lasts. */
export async function startBaseline(
  { defer }: Bench,
  name: string,
  env: Record<string, string>,
): Promise<ServerProcess> {
  const program = fileURLToPath(new URL(`baselines/${name}.ts`, import.meta.url))
  const port = await freePort()
  const args = [...startFlags, ...process.execArgv, program]
  const server = await startServer({ args, env: { ...env, PORT: String(port) }, port, healthPath: '/health' })
  defer(server.stop)
  return server
}

/** Hashes passwords and does nothing else, on as many threads as the service has for it: one processor is left to others. */
export async function startHashing(bench: Bench) {
  const threads = Math.max(1, availableParallelism() - 1)
  const env = { THREADS: String(threads), UV_THREADPOOL_SIZE: String(threads) }
  const server = await startBaseline(bench, 'hashing', env)
  return {
    threads,
    /** @returns how many passwords it hashes in a second */
    async run(seconds: number): Promise<number> {
      const response = await fetch(`${server.url}/hash/${seconds}`, { method: 'POST' })
      return ((await response.json()) as { perSecond: number }).perSecond
    },
  }
}

/** A session of the admin. */
export async function signIn({ url, baseUrl }: Service): Promise<SignedIn> {
  const response = await fetch(`${url}${signInPath}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: baseUrl },
    body: JSON.stringify(admin),
  })
  const cookie = response.headers.getSetCookie()[0]?.split(';')[0]
  if (!cookie) throw new Error(`The admin cannot sign in: ${response.status} ${await response.text()}`)
  const answer = await fetch(`${url}/api/auth/token`, { headers: { cookie } })
  const { token } = (await answer.json()) as { token: string }
  return { cookie, token }
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

/** What a server answers to one request. @throws Error when that is not a success */
export async function bodyOf(url: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(url, { headers })
  const text = await response.text()
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${text}`)
  return text
}
