import { generateId } from '@better-auth/core/utils/id'
import { createAuthMiddleware, getSessionFromCtx, isAPIError } from 'better-auth/api'
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'

type Context = Parameters<typeof getSessionFromCtx>[0]

const browserMs = 24 * 3_600_000

// Whom a provider has brought whose address it has not verified, by the request with which they came back.
const brought = new WeakMap<Request, string>()

/** Notes who is sent a link to confirm their address for a request: who comes from a provider is named nowhere else. */
export function noteUnconfirmed(request: Request | undefined, userId: string): void {
  if (request) brought.set(request, userId)
}

/** Where people show that an account is theirs, and get no session before its address is confirmed. */
export function mayEndUnconfirmed(path: string | undefined): boolean {
  return path !== undefined && ['/sign-up/email', '/sign-in/email', '/sign-in/social', '/callback/:id'].includes(path)
}

/** Lets a browser remember whose address is to be confirmed once it has shown that the account is theirs. */
export const rememberUnconfirmed = createAuthMiddleware(async (ctx) => {
  const userId = await unconfirmedUser(ctx)
  if (userId === undefined) return
  const { name, attributes } = browserCookie(ctx)
  // Read in two visits, the id would tell whether it was made up, and so whether somebody has the address.
  ctx.setCookie(name, await symmetricEncrypt({ key: ctx.context.secret, data: contentOf(userId) }), attributes)
})

/** Whether a browser has shown that the account of a user is theirs. */
export async function isOfThisBrowser(ctx: Context, userId: string): Promise<boolean> {
  const data = ctx.getCookie(browserCookie(ctx).name) ?? ''
  // What cannot be decrypted is not ours.
  const content = await symmetricDecrypt({ key: ctx.context.secret, data }).catch(() => undefined)
  if (content === contentOf(userId)) return true
  return (await getSessionFromCtx(ctx))?.user.id === userId
}

/** Lets a browser forget it, once the address is confirmed. */
export function forgetUnconfirmed(ctx: Context): void {
  const { name, attributes } = browserCookie(ctx)
  ctx.setCookie(name, '', { ...attributes, maxAge: 0 })
}

/** Who signed up, or came with their password or from a provider, and gets no session before their address is confirmed. */
async function unconfirmedUser({ path, body, request, context }: Context): Promise<string | undefined> {
  const { returned } = context as { returned?: unknown }
  if (path === '/sign-up/email') {
    const { token, user } = (returned ?? {}) as { token?: string | null; user?: { id: string } }
    // For an address that is taken there is a user in the answer, too, whom nobody has: it tells nothing.
    return token === null ? user?.id : undefined
  }
  if (!isUnverified(returned)) return undefined
  if (path !== '/sign-in/email') {
    // For the address of somebody else, a browser is given a user whom nobody has, for the same reason.
    return (request && brought.get(request)) ?? generateId()
  }
  const { email } = body as { email: string }
  return (await context.internalAdapter.findUserByEmail(email))?.user.id
}

// Named, as other things are encrypted with that secret, and of one length, whatever that of the id is.
const contentOf = (userId: string) => `unconfirmed ${userId}`.padEnd(64)

function isUnverified(returned: unknown): boolean {
  if (!isAPIError(returned)) return false
  const location = new Headers(returned.headers).get('location') ?? ''
  return returned.body?.code === 'EMAIL_NOT_VERIFIED' || /[?&]error=email_not_verified\b/.test(location)
}

function browserCookie({ context }: Context) {
  return context.createAuthCookie('unconfirmed', { maxAge: browserMs / 1_000 })
}
