import { createMiddleware } from 'hono/factory'
import type { Env } from '../http/exchange.ts'
import { beyond, type Quota } from '../http/quota.ts'
import type { RequestLimits } from '../request-limits.ts'

// Of an address and endpoint. Whatever is not named here is counted in memory, a tenth of what all requests together may be.
const rules: (Omit<Quota, 'name'> & { method?: string; paths: RegExp })[] = [
  // A password is tried, or chosen.
  {
    method: 'POST',
    paths: /^\/(sign-in\/.+|sign-up\/.+|change-password|change-email|delete-user)$/,
    most: 3,
    windowSeconds: 10,
  },
  // A letter is mailed.
  { method: 'POST', paths: /^\/(request-password-reset|send-verification-email)$/, most: 3, windowSeconds: 60 },
  // A token that was mailed is tried.
  { paths: /^\/(reset-password(\/.+)?|verify-email|change-email\/confirm)$/, most: 10, windowSeconds: 60 },
]

interface Dependencies {
  requestLimits: Pick<RequestLimits, 'auth' | 'attempts'>
  /** The paths of all endpoints that have no parameter in it. */
  endpoints: ReadonlySet<string>
  clientAddress: (incoming: Env['Bindings']['incoming']) => string
}

/**
 * The limits of `/api/auth` by client address, each endpoint with its own. In place of Better-Auth's limiter, which counts
 * by the path as it is sent, with any token in it, and knows no sites of many IPv6 addresses.
 */
export function authLimits({ requestLimits: { auth, attempts }, endpoints, clientAddress }: Dependencies) {
  if (!auth || !attempts) return createMiddleware<Env>((_, next) => next())
  return createMiddleware<Env>(async (c, next) => {
    const path = endpoints.has(c.req.path) ? c.req.path.slice('/api/auth'.length) : familyOf(c.req.path)
    const address = clientAddress(c.env.incoming)
    // A picture on any page, whose address is that of a sign-in, must not use up the attempts of who looks at it.
    const rule = rules.find(({ method = c.req.method, paths }) => method === c.req.method && paths.test(path))
    const taken = rule
      ? await attempts.count(address, { quota: { name: path, most: rule.most, windowSeconds: rule.windowSeconds } })
      : auth.take(address, path)
    if (!taken.isAllowed) throw beyond(taken)
    await next()
  })
}

// What is made up is counted together, or each made-up path would be a key of its own.
function familyOf(path: string): string {
  const [, family] = /^\/api\/auth\/(callback|reset-password)\/[^/]+$/.exec(path) ?? []
  return family === undefined ? '/*' : `/${family}/*`
}
