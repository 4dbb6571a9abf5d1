/**
 * Goes on with a value: at once where it is there, or when its promise resolves. A promise that need not be waited for
 * costs more than a look-up in memory. What `proceed` throws is thrown, or rejects the promise.
 */
export function onceKnown<T, R>(value: T | Promise<T>, proceed: (value: T) => Promise<R>): Promise<R>
export function onceKnown<T, R>(value: T | Promise<T>, proceed: (value: T) => R | Promise<R>): R | Promise<R>
export function onceKnown<T, R>(value: T | Promise<T>, proceed: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(proceed) : proceed(value)
}
