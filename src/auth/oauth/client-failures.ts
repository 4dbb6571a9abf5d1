import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AttemptLimits } from '../../attempt-limits.ts'
import { announcesBody } from '../../http/body.ts'
import type { Env } from '../../http/exchange.ts'
import { beyond } from '../../http/quota.ts'
import { credentialsIn } from './client.ts'

// Of one client and of all, from an address: an application that has its secret wrong is told so often enough by these.
const ofClient = { name: 'client-failures', most: 20, windowSeconds: 60 }
const ofAddress = { name: 'address-failures', most: 60, windowSeconds: 60 }

interface Dependencies {
  attempts: AttemptLimits | undefined
  clientAddress: (incoming: Env['Bindings']['incoming']) => string
}

/**
 * Refuses an address at which clients have failed too often to prove themselves. Where they have no secret to do so with,
 * what they fail to name is a code or refresh token: those who name a good one are served all the same, as many people of
 * one application may be at an address. Failures elsewhere are no matter: nobody can keep an application from its tokens by
 * failing in its name.
 * @see RFC 6749 section 2.3.1, RFC 6819 section 5.1.4.2
 */
export function limitClientFailures({ attempts, clientAddress }: Dependencies) {
  if (!attempts) return createMiddleware<Env>((_, next) => next())
  return createMiddleware<Env>(async (c, next) => {
    const address = clientAddress(c.env.incoming)
    const { id, hasSecret } = await claimIn(c)
    const ofThis = { quota: ofClient, subject: ` ${createHash('sha256').update(id).digest('base64url')}` }
    if (hasSecret) {
      const before = await attempts.look(address, ofThis, { quota: ofAddress })
      if (!before.isAllowed) throw beyond(before)
    }
    await next()
    if (!(await isFailure(c.res, hasSecret))) return
    const after = await attempts.count(address, ofThis, { quota: ofAddress })
    if (!after.isAllowed) throw beyond(after)
  })
}

/** Which client a request says that it is, and whether it means to prove it. */
async function claimIn(c: Context): Promise<{ id: string; hasSecret: boolean }> {
  const form = new URLSearchParams(announcesBody((name) => c.req.header(name)) ? await c.req.text() : '')
  const given = credentialsIn({ headers: c.req.raw.headers, body: Object.fromEntries(form) })
  return { id: given?.id ?? '', hasSecret: given?.method !== 'none' }
}

async function isFailure(response: Response, hasSecret: boolean): Promise<boolean> {
  if (response.status !== 400 && response.status !== 401) return false
  const { error } = ((await response.clone().json()) ?? {}) as { error?: unknown }
  return error === 'invalid_client' || (error === 'invalid_grant' && !hasSecret)
}
