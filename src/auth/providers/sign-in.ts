import { AsyncLocalStorage } from 'node:async_hooks'
import { BASE_ERROR_CODES } from '@better-auth/core/error'
import type { OAuthProvider } from '@better-auth/core/oauth2'
import type { BetterAuthPlugin } from 'better-auth'
import { type APIError, callbackOAuth, isAPIError, signInSocial } from 'better-auth/api'
import { noteAudit } from '../../db/audit-context.ts'
import type { Db } from '../../db/database.ts'
import { noteEvent } from '../audit.queries.ts'
import { findAuthority } from '../authority/authority.queries.ts'
import type { BanNotices } from '../ban-notice.ts'
import { type EndpointContext, refused, wrapEndpoint } from '../endpoint.ts'

/** What is known of somebody who comes from a provider, during one call. */
interface Visit {
  /** Whether their address is still to be verified: the provider has not, where that is needed. */
  mustVerify: boolean
  /** Whose session is to begin. */
  userId: string | undefined
}

const visits = new AsyncLocalStorage<Visit>()

/** Notes whether somebody comes with an address that the provider has not verified, where that is needed. */
export function noteVerification(provider: OAuthProvider): void {
  const getUserInfo = provider.getUserInfo.bind(provider)
  provider.getUserInfo = async (tokens) => {
    const found = await getUserInfo(tokens)
    const visit = visits.getStore()
    if (visit && found) {
      visit.mustVerify = provider.options?.requireEmailVerification === true && !found.user.emailVerified
    }
    return found
  }
}

/** Notes whose session is to begin. It stands before the plugin that refuses one to who is banned. */
export const visitorPlugin = {
  id: 'latchkey-visitor',
  init: () => ({
    options: {
      databaseHooks: {
        session: {
          create: {
            before({ userId }) {
              const visit = visits.getStore()
              if (visit) visit.userId = userId
              return Promise.resolve()
            },
          },
        },
      },
    },
  }),
} satisfies BetterAuthPlugin

interface Dependencies {
  db: Db
  banNotices: BanNotices
}

/**
 * The two ways to come from a provider. Better-Auth refuses an address that the provider has not verified with one code
 * if somebody has an account with it, and with another if nobody has; these do not tell. And they tell why somebody is
 * banned.
 */
export function providerSignIn(dependencies: Dependencies) {
  return {
    callbackOAuth: visited(callbackOAuth, dependencies),
    signInSocial: visited(signInSocial(), dependencies),
  }
}

function visited<E>(endpoint: E, dependencies: Dependencies): E {
  return wrapEndpoint(endpoint, (call, context) => {
    const visit: Visit = { mustVerify: false, userId: undefined }
    noteAudit({ way: providerOf(context) })
    return visits.run(visit, () =>
      call(context).catch(async (error: unknown) => {
        if (!isAPIError(error) || isPassedOn(context.request)) throw error
        const answer = await told(error, visit, dependencies)
        await noteRefusal(answer, visit, dependencies)
        throw answer
      }),
    )
  })
}

/** Whether what a provider sent as a form is led on to where it counts: whoever made it up, it says nothing yet. */
export function isPassedOn(request: Request | undefined): boolean {
  return request?.method === 'POST' && new URL(request.url).pathname.startsWith('/api/auth/callback/')
}

/** Of the two ways, one names the provider in its path. */
function providerOf(context: EndpointContext): string {
  const { params, body } = context as { params?: { id?: unknown }; body?: { provider?: unknown } }
  const id = params?.id ?? body?.provider
  return typeof id === 'string' && /^[\w-]{1,50}$/.test(id) ? id : 'provider'
}

// What a provider vouched for, and was refused; a link that anybody makes up is none of these.
const refusals = /[?&]error=(account_not_linked|signup_disabled|email_not_verified|BANNED_USER)\b/

/** Tells the audit log of a sign-in that ends in a redirection: of the others it is told where all are. */
async function noteRefusal({ headers }: APIError, { userId }: Visit, { db }: Dependencies): Promise<void> {
  const reason = refusals.exec((headers instanceof Headers ? headers.get('location') : null) ?? '')?.[1]
  if (reason === undefined) return
  const target = userId === undefined ? null : ({ type: 'user', id: userId } as const)
  await noteEvent(db, { action: 'sign_in.failed', target, reason })
}

async function told(error: APIError, { mustVerify, userId }: Visit, dependencies: Dependencies): Promise<APIError> {
  if (mustVerify && /^(account not linked|signup disabled)$/.test(error.body?.message ?? '')) {
    const { code, message } = BASE_ERROR_CODES.EMAIL_NOT_VERIFIED
    return refused(code, message)
  }
  if (!(error.headers instanceof Headers)) return error
  const location = error.headers.get('location') ?? ''
  if (mustVerify) {
    error.headers.set(
      'location',
      location.replace(/error=(account_not_linked|signup_disabled)\b/, 'error=email_not_verified'),
    )
  }
  if (userId !== undefined && location.includes('error=BANNED_USER')) {
    const cookie = await banCookie(userId, dependencies)
    if (cookie !== undefined) error.headers.append('set-cookie', cookie)
  }
  return error
}

async function banCookie(userId: string, { db, banNotices }: Dependencies): Promise<string | undefined> {
  const user = await findAuthority(db, userId, null)
  return user?.banned ? banNotices.cookieFor({ reason: user.ban_reason, expires: user.ban_expires }) : undefined
}
