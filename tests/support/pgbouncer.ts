import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { onServer } from './database-template.ts'
import { freePort, ordinaryUser } from './throwaway-postgres.ts'

const pgbouncer = '/usr/sbin/pgbouncer'

/** Whether tests of a pooler are left out: only where PgBouncer is not installed and need not be. */
export const lacksPgbouncer = !existsSync(pgbouncer) && !process.env['REQUIRE_PACKAGES']

/** Starts PgBouncer in transaction mode before a server until the test has finished. @returns the way through it */
export async function startPooler(server: string): Promise<(url: string) => string> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pgbouncer-'))
  const port = await freePort()
  const target = new URL(server)
  const configuration = join(folder, 'pgbouncer.ini')
  writeFileSync(
    configuration,
    `[databases]
* = host=${target.hostname} port=${target.port || 5432} user=${target.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
`,
  )
  const user = ordinaryUser()
  if (user) for (const path of [folder, configuration]) chownSync(path, user.uid, user.gid)
  const child: ChildProcess = spawn(pgbouncer, [configuration], { cwd: folder, stdio: 'ignore', ...user })
  onTestFinished(async () => {
    const exited = once(child, 'exit')
    if (child.exitCode === null) {
      child.kill('SIGKILL')
      await exited
    }
    rmSync(folder, { recursive: true, force: true })
  })
  const through = (url: string) => {
    const pooled = new URL(url)
    pooled.host = `127.0.0.1:${port}`
    return pooled.href
  }
  await expect.poll(() => onServer(through(server), 'select 1').then(() => 'up', String), { timeout: 5_000 }).toBe('up')
  return through
}
