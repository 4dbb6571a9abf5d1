import { AsyncLocalStorage } from 'node:async_hooks'

interface Watch {
  conflict: Error | undefined
}

const watches = new AsyncLocalStorage<Watch>()

/**
 * Runs the work of one transaction, and throws the conflict that the database resolved against it, whatever `work` made of
 * that: the transaction is over, and a commit would be a rollback that says nothing.
 */
export async function throwConflict<T>(work: () => Promise<T>): Promise<T> {
  const watch: Watch = { conflict: undefined }
  try {
    const result = await watches.run(watch, work)
    if (watch.conflict) throw watch.conflict
    return result
  } catch (error) {
    throw watch.conflict ?? error
  }
}

/** Tells whose transaction it is that the database resolved a conflict against it; false where nobody would try again. */
export function noteConflict(conflict: Error): boolean {
  const watch = watches.getStore()
  if (watch) watch.conflict ??= conflict
  return watch !== undefined
}
