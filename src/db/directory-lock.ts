import { readFileSync, readlinkSync } from 'node:fs'
import { link, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Another live process holds the directory. */
export class DirectoryInUseError extends Error {
  override name = 'DirectoryInUseError'
  readonly pid: number
  constructor(directory: string, owner: Owner) {
    super(
      `${directory} is in use by process ${owner.pid} on ${owner.host}. Stop it, or set DATA_DIR to another folder.`,
    )
    this.pid = owner.pid
  }
}

/** A directory that is ours until it is released. */
export interface DirectoryLock {
  release: () => Promise<void>
}

interface Owner {
  pid: number
  host: string
  /** Where the pid means that process: another container may have the same host name. */
  space: string
  /** Tells a process from a later one with the same pid. */
  startedAt: string
}

const heartbeatMs = 2_000
// A process elsewhere (a container before this one) cannot be asked; it is dead once it stopped touching its lock.
const silentMs = 5 * heartbeatMs
const retryMs = 10

/**
 * Takes `directory`/lock for this process. The lock of a process that is gone is taken over.
 * @throws DirectoryInUseError
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock')
  const own: Owner = { pid: process.pid, host: hostname(), space: pidSpace(), startedAt: startOf(process.pid) ?? '' }
  const content = JSON.stringify(own)
  // Linked into place whole: nobody ever reads a lock that is half written.
  const draft = `${path}.${process.pid}`
  await writeFile(draft, content, { mode: 0o600 })
  try {
    const owner = await take(path, draft, content)
    if (owner) throw new DirectoryInUseError(directory, owner)
  } finally {
    await rm(draft, { force: true })
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, heartbeatMs).unref()
  return {
    async release() {
      clearInterval(heartbeat)
      if ((await readFile(path, 'utf8').catch(() => '')) === content) await rm(path, { force: true })
    },
  }
}

/**
 * Puts `draft`, which holds `own`, at `path`, unless somebody who lives is there.
 * @returns who that is
 */
async function take(path: string, draft: string, own: string): Promise<Owner | undefined> {
  while (!(await linked(draft, path))) {
    const content = await contentOf(path)
    const owner = content === undefined ? undefined : parseOwner(content)
    if (owner && (content === own || (await isAlive(owner, path)))) return owner
    if (content !== undefined) await removeStale(path, content, draft, own)
  }
  return undefined
}

/** Removes a stale lock under a lock of its own: who had only read it might remove the new one of somebody else. */
async function removeStale(path: string, content: string, draft: string, own: string): Promise<void> {
  const right = `${path}.next`
  if (await take(right, draft, own)) {
    await pause(retryMs)
    return
  }
  try {
    if ((await contentOf(path)) === content) await rm(path, { force: true })
  } finally {
    await rm(right, { force: true })
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function parseOwner(content: string): Owner | undefined {
  try {
    const { pid, host, space = '', startedAt } = JSON.parse(content) as Partial<Owner>
    if (typeof pid === 'number' && typeof host === 'string' && typeof startedAt === 'string') {
      return { pid, host, space, startedAt }
    }
  } catch {
    // Not one of ours: as good as no owner.
  }
  return undefined
}

async function isAlive({ pid, host, space, startedAt }: Owner, path: string): Promise<boolean> {
  if (host !== hostname() || space !== pidSpace()) return isTouched(path)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
  }
  const start = startOf(pid)
  return start === undefined || start === startedAt
}

/** Whether somebody goes on touching a lock. Asked until it is touched, or was not for so long that nobody is there. */
async function isTouched(path: string): Promise<boolean> {
  const touchedAt = async () => (await stat(path).catch(() => undefined))?.mtimeMs
  const before = await touchedAt()
  while (before !== undefined && Date.now() - before < silentMs) {
    await pause(heartbeatMs / 4)
    const now = await touchedAt()
    if (now !== before) return now !== undefined
  }
  return false
}

/** The kernel and the namespace in which pids are those of this process; empty where there is no /proc. */
function pidSpace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return ''
  }
}

/** When a process started, in clock ticks since boot; undefined where /proc does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name, in parentheses, may itself hold spaces.
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
