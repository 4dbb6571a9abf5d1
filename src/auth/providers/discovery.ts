const maxAgeMs = 3_600_000

/**
 * Remembers what takes a request to know: asks when it is first needed, again when it could not be known, and again after
 * an hour, for which nobody waits.
 */
export function createDiscovery<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: { value: T } | undefined
  let asking: Promise<T> | undefined
  let askedAt = 0

  function askAgain(): Promise<T> {
    askedAt = Date.now()
    asking ??= ask()
      .then((value) => {
        known = { value }
        return value
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }

  return async function discovered() {
    if (!known) return askAgain()
    // What is known counts until it is known anew.
    if (Date.now() - askedAt > maxAgeMs) void askAgain().catch(() => {})
    return known.value
  }
}
