import { createAuthEndpoint } from 'better-auth/api'
import { z } from 'zod'
import { documented } from './documented.ts'

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
    const found = await context.internalAdapter.findVerificationValue(`reset-password:${token}`)
    return json({ status: found !== null && found.expiresAt > new Date() })
  },
)
