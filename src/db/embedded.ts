import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { freeBytes } from './free-bytes.ts'

const majorVersion = '18'
// One file of the log of writes.
const neededBytes = 16 * 1_024 * 1_024

/** What `migrations/` creates, which PGlite must be given when it is opened. */
export const extensions = { pg_trgm }

/** The embedded database cannot be opened; the message says why and what to do. */
export class EmbeddedDatabaseError extends Error {
  override name = 'EmbeddedDatabaseError'
}

/** Whether a directory holds an embedded database already. */
export function hasEmbedded(directory: string): boolean {
  return existsSync(clusterOf(directory))
}

function clusterOf(directory: string): string {
  return join(directory, 'postgres')
}

/** The embedded database, once it is open. */
export interface Embedded {
  clientConfig: ReturnType<typeof createPgConfig>
  /** Calls `onNotification` with what is told on a channel, before the statement that tells it returns. @returns what ends that */
  hear: (channel: string, onNotification: (payload: string) => void) => Promise<() => Promise<void>>
  close: () => Promise<void>
}

/**
 * Opens the embedded PostgreSQL in `directory`/postgres, creating it on first use.
 * PGlite does not lock its files, and two processes on them lose rows, so the directory is locked here.
 * @throws EmbeddedDatabaseError, DirectoryInUseError
 */
export async function openEmbedded(directory: string): Promise<Embedded> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const lock = await lockDirectory(directory)
  try {
    const pglite = await openCluster(clusterOf(directory))
    const isOver = endOnPanic(pglite, directory)
    return {
      clientConfig: createPgConfig(pglite),
      hear: (channel, onNotification) => pglite.listen(channel, onNotification),
      close: () => closeCluster(pglite, lock, isOver),
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/**
 * Ends the process when the database ends by itself, as where its log of writes has no room: it answers nothing more, and
 * is as it was before with the next start.
 * @returns whether it has
 */
function endOnPanic(pglite: PGlite, directory: string): () => boolean {
  let failure: EmbeddedDatabaseError | undefined
  const { execProtocolStream } = pglite
  pglite.execProtocolStream = async (...args) => {
    // Asked again it would keep the thread for ever.
    if (failure) throw failure
    const messages = await execProtocolStream.apply(pglite, args)
    const panic = messages.find((message) => 'severity' in message && message.severity === 'PANIC')
    if (panic && 'message' in panic) {
      failure = new EmbeddedDatabaseError(`The database in ${directory} cannot go on: ${String(panic.message)}.`)
      queueMicrotask(() => {
        throw failure
      })
    }
    return messages
  }
  return () => failure !== undefined
}

async function closeCluster(pglite: PGlite, lock: DirectoryLock, isOver: () => boolean): Promise<void> {
  try {
    if (!isOver()) await pglite.close()
  } finally {
    await lock.release()
  }
}

async function openCluster(cluster: string): Promise<PGlite> {
  if (existsSync(cluster)) await assertOpenable(cluster)
  else await createCluster(cluster)
  // PGlite makes files that everybody may write, and the folder above may be of the operator's making.
  await chmod(cluster, 0o700)
  try {
    return await PGlite.create(cluster, { extensions })
  } catch (cause) {
    const isFull = freeBytes(cluster) < neededBytes
    const reason = isFull ? 'its disk is full. Make room.' : 'it is corrupt. Restore it from a backup.'
    throw new EmbeddedDatabaseError(`${cluster} cannot be opened: ${reason}`, { cause })
  }
}

async function assertOpenable(cluster: string): Promise<void> {
  const version = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (version === undefined) {
    const empty = (await readdir(cluster)).length === 0
    throw new EmbeddedDatabaseError(
      `${cluster} is ${empty ? 'empty' : 'not a database'}. Restore it from a backup, or remove it to start anew.`,
    )
  }
  if (version.trim() !== majorVersion) {
    throw new EmbeddedDatabaseError(
      `${cluster} is of PostgreSQL ${version.trim()}; this version opens ${majorVersion}.`,
    )
  }
}

/** Creates the cluster beside its place and moves it there whole, so that a first start cut short leaves nothing. */
async function createCluster(cluster: string): Promise<void> {
  const draft = `${cluster}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  const pglite = await PGlite.create(draft)
  await pglite.close()
  await rename(draft, cluster)
}
