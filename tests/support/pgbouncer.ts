import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, listens, ordinaryUser } from './throwaway-postgres.ts'

/** PgBouncer in transaction mode before a server. */
export interface Pooler {
  /** Its host and port. */
  host: string
  stop: () => Promise<void>
}

const pgbouncer = '/usr/sbin/pgbouncer'

interface PoolerOptions {
  /** How many connections to each database it shares among its clients. */
  size: number
  /** The startup parameters that it ignores; it refuses connections with any other. */
  ignored?: string[] | undefined
  /** Whether its connections have the limits that the README gives to the role. */
  isLimited?: boolean
}

/** Whether tests of a pooler are left out: only where PgBouncer is not installed and need not be. */
export const lacksPgbouncer = !existsSync(pgbouncer) && !process.env['REQUIRE_PACKAGES']

/** The URL of a database of the server, through a pooler before it. */
export function through(host: string): (url: string) => string {
  return (url) => {
    const pooled = new URL(url)
    pooled.host = host
    return pooled.href
  }
}

const limits = `connect_query='set statement_timeout = 5000; set lock_timeout = 3000'`

/**
 * Starts PgBouncer before a server. It tries a connection again at once: one that is killed as it begins would have all
 * refused for fifteen seconds.
 * @param server the URL of one of its databases
 */
export async function startPgbouncer(
  server: string,
  { size, ignored = [], isLimited = false }: PoolerOptions,
): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pgbouncer-'))
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const target = new URL(server)
  const configuration = join(folder, 'pgbouncer.ini')
  writeFileSync(
    configuration,
    `[databases]
* = host=${target.hostname} port=${target.port || 5432} user=${target.username} ${isLimited ? limits : ''}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = ${ignored.join(', ')}
max_client_conn = 1000
default_pool_size = ${size}
server_login_retry = 0
`,
  )
  const user = ordinaryUser()
  if (user) for (const path of [folder, configuration]) chownSync(path, user.uid, user.gid)
  const child: ChildProcess = spawn(pgbouncer, [configuration], { cwd: folder, stdio: 'ignore', ...user })
  const stop = async () => {
    const exited = once(child, 'exit')
    if (child.exitCode === null) {
      child.kill('SIGKILL')
      await exited
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await listens(through(host)(server))
    return { host, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
