import type { AuthContext } from '@better-auth/core'
import { type EndpointContext, wrapEndpoint } from './guard.ts'

/** Hashes a password now: the endpoint of the call, which may hold a connection and locks then, is given the outcome. */
export async function hashFor({ context }: EndpointContext, password: string): Promise<void> {
  const call = context as AuthContext
  const hash = await call.password.hash(password)
  call.password = { ...call.password, hash: () => Promise.resolve(hash) }
}

/**
 * Lets an endpoint of Better-Auth that writes in a transaction hash the `password` of its body before that begins.
 * @param isOpen whether it may be done at all for who asks: hashing costs too much to be had by anybody
 */
export function hashAhead<E>(endpoint: E, isOpen: (context: EndpointContext) => boolean | Promise<boolean>): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const { password } = (context.body ?? {}) as { password?: unknown }
    if (typeof password === 'string' && (await isOpen(context))) await hashFor(context, password)
    return call(context)
  })
}
