import { BASE_ERROR_CODES } from '@better-auth/core/error'
import { generateId } from '@better-auth/core/utils/id'
import { APIError, createAuthMiddleware, getSessionFromCtx, isAPIError } from 'better-auth/api'
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'
import { type MiddlewareContext as Context, wrapEndpoint } from '../endpoint.ts'
import { isPassedOn } from '../providers/sign-in.ts'

const browserMs = 24 * 3_600_000

// Whom a provider has brought whose address it has not verified, by the request with which they came back.
const brought = new WeakMap<Request, string>()

// The sign-ins with the right password of an account whose address is not confirmed.
const proven = new WeakSet<Request>()

/** Notes who is sent a link to confirm their address for a request: who comes from a provider is named nowhere else. */
export function noteUnconfirmed(request: Request | undefined, userId: string): void {
  if (request) brought.set(request, userId)
}

/** Where people show that an account is theirs, and get no session before its address is confirmed. */
export function mayEndUnconfirmed(path: string | undefined): boolean {
  return path !== undefined && ['/sign-up/email', '/sign-in/email', '/sign-in/social', '/callback/:id'].includes(path)
}

/**
 * A sign-in with a password that answers the same whether the password is wrong or the address is not confirmed yet. To
 * who has just signed up with an address the one would tell that it was taken, and the other that it was free.
 */
export function quietSignIn<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, (call, context) =>
    call(context).catch((error: unknown) => {
      if (!isUnverified(error)) throw error
      if (context.request) proven.add(context.request)
      throw APIError.from('UNAUTHORIZED', BASE_ERROR_CODES.INVALID_EMAIL_OR_PASSWORD)
    }),
  )
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
  if ((await rememberedUser(ctx)) === userId) return true
  return (await getSessionFromCtx(ctx))?.user.id === userId
}

/** Lets a browser forget it, once the address is confirmed. */
export function forgetUnconfirmed(ctx: Context): void {
  const { name, attributes } = browserCookie(ctx)
  ctx.setCookie(name, '', { ...attributes, maxAge: 0 })
}

/** Who signed up, or came with a password or from a provider, and gets no session before their address is confirmed. */
async function unconfirmedUser(ctx: Context): Promise<string | undefined> {
  const { path, request, context } = ctx
  const { returned } = context as { returned?: unknown }
  if (path === '/sign-up/email') {
    const { token, user } = (returned ?? {}) as { token?: string | null; user?: { id: string } }
    // For an address that is taken there is a user in the answer, too, whom nobody has: it tells nothing.
    return token === null ? user?.id : undefined
  }
  if (path === '/sign-in/email') return isRefused(context, returned) ? refusedUser(ctx) : undefined
  if (isPassedOn(request) || !isUnverified(returned)) return undefined
  // For the address of somebody else, a browser is given a user whom nobody has, for the same reason.
  return (request && brought.get(request)) ?? generateId()
}

/** Whose password was right, or else whom the browser remembers, or somebody whom nobody has: it looks and takes the same. */
async function refusedUser(ctx: Context): Promise<string> {
  const { email } = ctx.body as { email: string }
  const found = await ctx.context.internalAdapter.findUserByEmail(email)
  const remembered = await rememberedUser(ctx)
  return (ctx.request && proven.has(ctx.request) ? found?.user.id : remembered) ?? generateId()
}

async function rememberedUser(ctx: Context): Promise<string | undefined> {
  const data = ctx.getCookie(browserCookie(ctx).name) ?? ''
  // What cannot be decrypted is not ours.
  const content = await symmetricDecrypt({ key: ctx.context.secret, data }).catch(() => '')
  return content.startsWith(purpose) ? content.slice(purpose.length).trimEnd() : undefined
}

// Named, as other things are encrypted with that secret, and of one length, whatever that of the id is.
const purpose = 'unconfirmed '
const contentOf = (userId: string) => `${purpose}${userId}`.padEnd(64)

/** Whether a sign-in was refused where addresses are to be confirmed. */
function isRefused({ options }: Context['context'], returned: unknown): boolean {
  if (!options.emailAndPassword?.requireEmailVerification || !isAPIError(returned)) return false
  return returned.body?.code === 'INVALID_EMAIL_OR_PASSWORD'
}

function isUnverified(returned: unknown): boolean {
  if (!isAPIError(returned)) return false
  const location = new Headers(returned.headers).get('location') ?? ''
  return returned.body?.code === 'EMAIL_NOT_VERIFIED' || /[?&]error=email_not_verified\b/.test(location)
}

function browserCookie({ context }: Context) {
  return context.createAuthCookie('unconfirmed', { maxAge: browserMs / 1_000 })
}
