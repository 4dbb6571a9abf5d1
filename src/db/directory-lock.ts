import { readFileSync } from 'node:fs'
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

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

export interface DirectoryLock {
  release: () => Promise<void>
}

interface Owner {
  pid: number
  host: string
  /** Tells a process from a later one with the same pid. */
  startedAt: string
}

const heartbeatMs = 2_000
// A process on another host (a container before this one) cannot be asked; it is dead once it stopped touching its lock.
const silentMs = 5 * heartbeatMs

/**
 * Takes `directory`/lock for this process. The lock of a process that is gone is taken over.
 * @throws DirectoryInUseError
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock')
  const own: Owner = { pid: process.pid, host: hostname(), startedAt: startOf(process.pid) ?? '' }
  const content = JSON.stringify(own)
  // Linked into place whole: nobody ever reads a lock that is half written.
  const draft = `${path}.${process.pid}`
  await writeFile(draft, content, { mode: 0o600 })
  try {
    while (!(await linked(draft, path))) await removeStale(directory, path, content)
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

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function removeStale(directory: string, path: string, own: string): Promise<void> {
  const content = await readFile(path, 'utf8').catch(() => undefined)
  if (content === undefined) return
  const owner = parseOwner(content)
  if (content === own || (owner && (await isAlive(owner, path)))) {
    throw new DirectoryInUseError(directory, owner ?? { pid: process.pid, host: hostname(), startedAt: '' })
  }
  // Only one of several that take over at once gets the file; it may be the winner's new lock, which then goes back.
  const taken = `${path}.stale.${process.pid}`
  await rename(path, taken).catch(() => {})
  const seen = await readFile(taken, 'utf8').catch(() => content)
  if (seen !== content) await linked(taken, path)
  await rm(taken, { force: true })
}

function parseOwner(content: string): Owner | undefined {
  try {
    const { pid, host, startedAt } = JSON.parse(content) as Partial<Owner>
    if (typeof pid === 'number' && typeof host === 'string' && typeof startedAt === 'string') {
      return { pid, host, startedAt }
    }
  } catch {
    // Not one of ours: as good as no owner.
  }
  return undefined
}

async function isAlive({ pid, host, startedAt }: Owner, path: string): Promise<boolean> {
  if (host !== hostname()) {
    const touched = await stat(path).catch(() => undefined)
    return touched !== undefined && Date.now() - touched.mtimeMs < silentMs
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
  }
  const start = startOf(pid)
  return start === undefined || start === startedAt
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
