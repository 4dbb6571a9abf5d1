/**
 * Goes on with a value at once where it is known, and as soon as it is where it has to be waited for: what is in memory
 * costs no turn of the event loop.
 * @throws what `proceed` throws, where the value is known
 */
export function onceKnown<T, R>(value: T | Promise<T>, proceed: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(proceed) : proceed(value)
}
