import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own. */
export interface Target {
  url: string
  pid: number
  stop: () => Promise<void>
}

const startupMs = 30_000
const service = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

export const admin = { email: 'bench@example.com', password: 'correct horse battery' }

/** The variables of the service; its own limits are in force but too high to be met. */
export function environment(databaseUrl: string, port: number): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    BETTER_AUTH_URL: `http://localhost:${port}`,
    BETTER_AUTH_SECRET: 'ZmQ0YjE2NTctYmVuY2gtb25seS0wOTg3NjU0MzIx',
    HOST: '127.0.0.1',
    PORT: String(port),
    RATE_LIMIT: '9999999',
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
  }
}

/** The service as it is deployed: the compiled code, with its log written. */
export function startService(env: Record<string, string>): Promise<Target> {
  if (!existsSync(service)) throw new Error('There is no dist: run npm run build')
  return start(service, [], env, '/health/ready')
}

/** One of the servers in this folder, for comparison. */
export async function startServer(file: string, env: Record<string, string>): Promise<Target> {
  const program = fileURLToPath(new URL(file, import.meta.url))
  return start(program, process.execArgv, { ...env, PORT: String(await freePort()) }, '/health')
}

async function start(program: string, flags: string[], env: Record<string, string>, health: string): Promise<Target> {
  const child = spawn(process.execPath, [...flags, program], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'], ...env },
  })
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${env['PORT']}`
  const stop = async () => {
    child.kill('SIGINT')
    await exited
  }
  const deadline = Date.now() + startupMs
  for (;;) {
    const response = await fetch(`${url}${health}`).catch(() => undefined)
    if (response?.ok && child.pid !== undefined) return { url, pid: child.pid, stop }
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
    if (Date.now() > deadline) {
      await stop()
      throw new Error(`${program} does not answer`)
    }
    await pause(50)
  }
}

/** A session of the admin: its cookie and a JWT of it. */
export async function signIn(url: string, origin: string): Promise<{ cookie: string; token: string }> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify(admin),
  })
  const cookie = response.headers.getSetCookie()[0]?.split(';')[0]
  if (!cookie) throw new Error(`The admin cannot sign in: ${response.status}`)
  const answer = await fetch(`${url}/api/auth/token`, { headers: { cookie } })
  const { token } = (await answer.json()) as { token: string }
  return { cookie, token }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
