import type { AuthContext } from '@better-auth/core'
import { createAuthEndpoint } from 'better-auth/api'
import { z } from 'zod'
import { type EndpointContext, refused, wrapEndpoint } from '../endpoint.ts'
import { documented } from './documented.ts'
import { hashFor, ownerOf } from './hash-ahead.ts'
import { assertPassword } from './profile-hooks.ts'

/**
 * Whether a link to reset a password is good, so that nobody chooses one for nothing. Better-Auth would tell it by where
 * its own link leads, which has the token in its path, and so in the table of its limiter.
 */
export const checkPasswordReset = createAuthEndpoint(
  '/reset-password/check',
  {
    method: 'POST',
    body: z.object({ token: z.string().max(100) }),
    metadata: documented('checkPasswordReset', 'Look whether a reset link is good', '`status` tells whether it is.'),
  },
  async ({ body: { token }, context, json }) => {
    return json({ status: (await findOwner(context, token)) !== undefined })
  },
)

/**
 * Hashes a new password ahead of what sets it, which takes too long to be done while others wait.
 * @param endpoint guarded: it uses the link up in a transaction
 */
export function preparePasswordReset<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, async (call, given) => {
    const { context, token, newPassword } = asked(given)
    // Outside the transaction it is only looked at: Better-Auth lets one at a time use a link up, and who waits may hold the connection.
    const userId = await findOwner(context, token)
    const owner = userId === undefined ? null : await context.internalAdapter.findUserById(userId)
    if (!owner) throw refused('INVALID_TOKEN', 'Invalid token', 'BAD_REQUEST')
    assertPassword(newPassword, ownerOf(given, owner.email))
    await hashFor(given, newPassword)
    return call(given)
  })
}

function asked({ body, query, context }: EndpointContext) {
  const { token, newPassword } = Asked.parse(body ?? {})
  return { context: context as AuthContext, token: token || Asked.parse(query ?? {}).token, newPassword }
}

// What is no text the endpoint itself refuses.
const text = z.string().catch('')
const Asked = z.object({ token: text, newPassword: text }).catch({ token: '', newPassword: '' })

/** Whose password a link resets; undefined of one that is no good. */
async function findOwner({ internalAdapter }: AuthContext, token: string): Promise<string | undefined> {
  const found = await internalAdapter.findVerificationValue(`reset-password:${token}`)
  return found !== null && found.expiresAt > new Date() ? found.value : undefined
}
