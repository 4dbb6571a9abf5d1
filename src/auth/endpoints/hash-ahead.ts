import type { AuthContext } from '@better-auth/core'
import { type PasswordOwner, passwordFault } from '../../resources/password.ts'
import { noteEvent } from '../audit.queries.ts'
import { type EndpointContext, refused, wrapEndpoint } from '../endpoint.ts'
import { findPasswordHash } from './account.queries.ts'
import { type Preparation } from './guard.ts'
import type { PasswordBudget } from './password-budget.ts'
import { assertPassword } from './profile-hooks.ts'

/** Hashes a password now: the endpoint of the call, which may hold a connection and locks then, is given the outcome. */
export async function hashFor({ context }: EndpointContext, password: string): Promise<void> {
  const call = context as AuthContext
  const hash = await call.password.hash(password)
  call.password = { ...call.password, hash: () => Promise.resolve(hash) }
}

/** Lets a sign-up hash its password before its transaction begins; closed, it computes nothing for strangers. */
export function hashAhead<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, async (call, given) => {
    const password = usable(given, 'password')
    if (password !== undefined && !given.context.options.emailAndPassword?.disableSignUp) await hashFor(given, password)
    return call(given)
  })
}

/**
 * Hashes the password of somebody who is made.
 * @throws APIError for a password that nobody may choose
 */
export const hashesFor: Preparation = async ({ context }) => {
  assertPassword(textOf(context, 'password'), ownerOf(context, textOf(context, 'email')))
  const password = usable(context, 'password')
  if (password !== undefined) await hashFor(context, password)
}

/**
 * Checks the password of whoever asks, and hashes the new one if there is one. The endpoint is given the outcome if the
 * account has the same password then, or has to check it itself.
 * @param member of the body in which the password is
 * @throws APIError `INVALID_PASSWORD`, as the endpoint would, and for a new one that nobody may choose; ProblemError
 * `rate-limited`
 */
export function checksOwn(budget: PasswordBudget, member: 'password' | 'currentPassword'): Preparation {
  return async ({ db, actor, context }) => {
    assertPassword(textOf(context, 'newPassword'), ownerOf(context, actor.email))
    const password = textOf(context, member)
    const hash = password === undefined ? undefined : await findPasswordHash(db, actor.id)
    if (password === undefined || hash === undefined) return
    const call = context.context as AuthContext
    await budget.spend(actor.email, context, async () => {
      const isRight = await call.password.verify({ hash, password })
      if (isRight) return
      await noteEvent(db, { action: 'password.refused', target: { type: 'user', id: actor.id } })
      throw refused('INVALID_PASSWORD', 'Invalid password', 'BAD_REQUEST')
    })
    const { verify } = call.password
    const isKnown = (asked: { hash: string; password: string }) => asked.hash === hash && asked.password === password
    call.password = { ...call.password, verify: async (asked) => isKnown(asked) || verify(asked) }
    const newPassword = usable(context, 'newPassword')
    if (newPassword !== undefined) await hashFor(context, newPassword)
  }
}

/** Whose password it is to be, and at which service. */
export function ownerOf({ context }: Pick<EndpointContext, 'context'>, email: string | undefined): PasswordOwner {
  return { email, brand: context.options.appName }
}

// What cannot be a password the endpoint refuses without hashing it.
function usable(context: EndpointContext, member: string): string | undefined {
  const text = textOf(context, member)
  return text !== undefined && !passwordFault(text) ? text : undefined
}

function textOf({ body }: EndpointContext, member: string): string | undefined {
  const value = ((body ?? {}) as Record<string, unknown>)[member]
  return typeof value === 'string' ? value : undefined
}
