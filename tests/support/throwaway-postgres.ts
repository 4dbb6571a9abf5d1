import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { childrenOf } from './running.ts'

/** A PostgreSQL server of one's own. */
export interface ThrowawayPostgres {
  /** The URL of its database `postgres`, as a superuser. */
  url: string
  /** Its processes: the first has started all others. */
  pids: () => number[]
  /** Ends it: `SIGINT` its connections first, `SIGQUIT` at once, `SIGKILL` like a crash of all its processes. Its files stay. */
  end: (signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL') => Promise<void>
  /** Starts it again where it was, and waits until it answers. */
  start: () => Promise<void>
  /** Ends it and removes its files. */
  stop: () => Promise<void>
}

/** What differs from a fresh server without TLS. */
export interface PostgresOptions {
  /** Makes it speak TLS too. */
  tls?: ServerCertificate
  /** Settings as in `postgresql.conf`. */
  settings?: string[]
  /** The URL of a server that it follows, until it is promoted. */
  standbyOf?: string
}

type Run = (program: string, args: string[]) => ChildProcess

const portsToTry = 5
const startupMs = 30_000
// Nothing here has to survive a power cut.
const commonSettings = ['max_connections=300', 'fsync=off', 'full_page_writes=off', 'unix_socket_directories=']

/** A certificate of the server and its private key, as PEM. */
export interface ServerCertificate {
  certificate: string
  key: string
}

/** Starts a PostgreSQL of this machine on a fresh cluster in a temporary folder, for callers on this machine only. */
export async function startPostgres({
  tls,
  settings = [],
  standbyOf,
}: PostgresOptions = {}): Promise<ThrowawayPostgres> {
  const programs = findPrograms()
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'))
  const user = ordinaryUser()
  if (user) chownSync(folder, user.uid, user.gid)
  // Detached, so that Ctrl-C reaches those who use the server first and it is stopped in order.
  const run: Run = (program, args) =>
    spawn(join(programs, program), args, { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...user })
  const data = join(folder, 'data')
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    await finished(standbyOf === undefined ? initialize(run, data) : copyOf(standbyOf, run, data))
    if (tls) {
      for (const [name, pem] of [
        ['server.crt', tls.certificate],
        ['server.key', tls.key],
      ] as const) {
        writeFileSync(join(data, name), pem, { mode: 0o600 })
        if (user) chownSync(join(data, name), user.uid, user.gid)
      }
    }
    const common = [...commonSettings, ...(tls ? ['ssl=on'] : []), ...settings]
    return await startServer((port) => runServer(run, data, [...common, `port=${port}`]), remove)
  } catch (error) {
    remove()
    throw error
  }
}

function initialize(run: Run, data: string): ChildProcess {
  return run('initdb', ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8', '--auth=trust', '--no-sync'])
}

function copyOf(primary: string, run: Run, data: string): ChildProcess {
  return run('pg_basebackup', ['-d', primary, '-D', data, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'])
}

function runServer(run: Run, data: string, settings: string[]): ChildProcess {
  const options = [...settings, 'listen_addresses=127.0.0.1'].flatMap((setting) => ['-c', setting])
  return run('postgres', ['-D', data, ...options])
}

async function startServer(run: (port: number) => ChildProcess, remove: () => void): Promise<ThrowawayPostgres> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    let server = run(port)
    try {
      await Promise.race([listens(url), finished(server)])
    } catch (error) {
      await stopServer(server)
      if (attempt === portsToTry) throw error
      continue
    }
    const pids = () => [server.pid ?? 0, ...childrenOf(server.pid ?? 0)]
    return {
      url,
      pids,
      async end(signal) {
        const exited = once(server, 'exit')
        if (signal === 'SIGKILL') for (const pid of pids()) killIfThere(pid)
        else server.kill(signal)
        await exited
      },
      async start() {
        server = run(port)
        await Promise.race([listens(url), finished(server)])
      },
      async stop() {
        await stopServer(server)
        remove()
      },
    }
  }
}

/** A backend may have ended by itself meanwhile. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** SIGINT makes PostgreSQL end its connections and shut down. */
async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGINT')
  await exited
}

/** Waits until a server answers. */
export async function listens(url: string): Promise<void> {
  const deadline = Date.now() + startupMs
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
    }
  }
}

/** Waits for the end of a program, which must be a success. */
async function finished(child: ChildProcess): Promise<void> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    // Only the end is worth telling; a server may log for an hour.
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
    })
  }
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code ?? child.signalCode}:\n${output}`)
}

/** The folder of initdb and postgres: Debian keeps them out of PATH, by version. */
function findPrograms(): string {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian) : []
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin'))
  const folders = [...newestFirst, ...(process.env['PATH'] ?? '').split(delimiter)]
  const found = folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))))
  if (!found) throw new Error('PostgreSQL is not installed (Debian: apt-get install postgresql)')
  return found
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made, or as nobody. */
export function ordinaryUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string, name: string) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString())
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) }
    } catch {
      // There is no such user: the next one.
    }
  }
  throw new Error('there is no ordinary user to run PostgreSQL as')
}

/** What a database is made of, without what is in it. */
export function schemaOf(url: string): string {
  const dump = execFileSync(join(findPrograms(), 'pg_dump'), ['--schema-only', '-d', url], { encoding: 'utf8' })
  // Newer versions of pg_dump guard what follows with a word of chance.
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, '')
}

/** A TCP port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
