import { AsyncLocalStorage } from 'node:async_hooks'

interface Watch {
  failure: Error | undefined
}

const watches = new AsyncLocalStorage<Watch>()

/**
 * Runs `work`, and throws the failure of the database that happened in it even if `work` caught it: code that takes a
 * lost connection, or a query that was refused, for "nothing found" would answer wrongly.
 */
export async function throwOutage<T>(work: () => Promise<T>): Promise<T> {
  const watch: Watch = { failure: undefined }
  const result = await watches.run(watch, work)
  if (watch.failure) throw watch.failure
  return result
}

/** Tells whoever watches that the database did not answer a query. */
export function reportOutage(failure: Error): void {
  const watch = watches.getStore()
  if (watch) watch.failure ??= failure
}
