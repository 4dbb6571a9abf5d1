import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, link, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConfigError } from './config.ts'
import { hasEmbedded } from './db/embedded.ts'
import { secretWeakness } from './secret.ts'

/**
 * The secret kept in `directory`, generated there before its database is, readable by its owner only.
 * @throws ConfigError for a file that cannot be used, or is missing beside a database: a new secret would open nothing there
 */
export async function keptSecret(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const path = join(directory, 'secret')
    // Asked in this order, as another process may be making both, the secret first.
    const isUsed = hasEmbedded(directory)
    if (!existsSync(path)) {
      if (isUsed) throw unusable('is missing, though there is a database')
      await make(path)
    }
    await chmod(path, 0o600)
    const secret = (await readFile(path, 'utf8')).trim()
    const weakness = secretWeakness(secret)
    if (weakness) throw unusable(weakness)
    return secret
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw unusable(`cannot be used (${String(error.code)})`)
    throw error
  }
}

/** Whether a secret is kept in `directory`. */
export function hasKeptSecret(directory: string): boolean {
  return existsSync(join(directory, 'secret'))
}

/** Linked into place whole, and only by the first of several processes; on disk before anything is encrypted with it. */
async function make(path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true })
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft, { force: true })
  await syncNames(dirname(path))
}

/** Puts on disk which files a directory holds, where the platform can. */
async function syncNames(directory: string): Promise<void> {
  const handle = await open(directory).catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

function unusable(fault: string): ConfigError {
  return new ConfigError([
    `DATA_DIR: the file "secret" in it ${fault}. Put back what was in it, or set BETTER_AUTH_SECRET to that`,
  ])
}
