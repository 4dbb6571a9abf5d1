import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'

const majorVersion = '18'

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
    return {
      clientConfig: createPgConfig(pglite),
      hear: (channel, onNotification) => pglite.listen(channel, onNotification),
      close: () => closeCluster(pglite, lock),
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function closeCluster(pglite: PGlite, lock: DirectoryLock): Promise<void> {
  try {
    await pglite.close()
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
    throw new EmbeddedDatabaseError(`${cluster} cannot be opened: it is corrupt. Restore it from a backup.`, { cause })
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
