import type { BetterAuthPlugin } from 'better-auth'
import { createAuthMiddleware, getSessionFromCtx } from 'better-auth/api'
import { z } from 'zod'

// What we read of the state that Better-Auth keeps while somebody is at a provider.
const State = z.object({ provider: z.string().optional(), link: z.object({ userId: z.string() }).optional() })

/**
 * Binds a sign-in with a provider to what it was begun with: the provider, and the session to which it is to be added.
 * @see RFC 9700 section 4.4 (mix-up)
 */
export const providerHooks: NonNullable<NonNullable<BetterAuthPlugin['hooks']>['before']> = [
  {
    matcher: ({ path }) => path === '/sign-in/social' || path === '/link-social',
    handler: createAuthMiddleware(({ body }) => {
      const { provider } = (body ?? {}) as { provider?: unknown }
      // The client does not choose what we ask of the provider.
      return Promise.resolve({ context: { body: { scopes: [], additionalData: { provider } } } })
    }),
  },
  {
    matcher: ({ path }) => path === '/callback/:id',
    handler: createAuthMiddleware(async (ctx) => {
      const query = (ctx.query ?? {}) as Record<string, unknown>
      // No parameter comes twice (RFC 6749 section 3.1). Better-Auth would say so to a program.
      if (Object.values(query).some(Array.isArray)) throw ctx.redirect('/error?error=invalid_callback_request')
      const { state } = query
      const kept =
        typeof state === 'string'
          ? await ctx.context.internalAdapter.findVerificationValue(`auth-state:${state}`)
          : null
      // Without one Better-Auth itself refuses.
      if (!kept) return
      const { provider, link } = State.parse(JSON.parse(kept.value))
      const { id } = ctx.params as { id?: string }
      if (provider !== id) throw ctx.redirect('/error?error=state_mismatch')
      if (link && (await getSessionFromCtx(ctx))?.user.id !== link.userId)
        throw ctx.redirect('/error?adding&error=session_ended')
    }),
  },
]
