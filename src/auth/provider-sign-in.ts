import { AsyncLocalStorage } from 'node:async_hooks'
import { BASE_ERROR_CODES } from '@better-auth/core/error'
import type { OAuthProvider } from '@better-auth/core/oauth2'
import { type APIError, callbackOAuth, isAPIError, signInSocial } from 'better-auth/api'
import { refused, wrapEndpoint } from './endpoint-guard.ts'

/** What is known of somebody who comes from a provider, during one call. */
const visits = new AsyncLocalStorage<{ mustVerify: boolean }>()

/** Notes whether somebody comes with an address that the provider has not verified, where that is needed. */
export function noteVerification(provider: OAuthProvider): void {
  const getUserInfo = provider.getUserInfo.bind(provider)
  provider.getUserInfo = async (tokens) => {
    const found = await getUserInfo(tokens)
    const visit = visits.getStore()
    if (visit && found)
      visit.mustVerify = provider.options?.requireEmailVerification === true && !found.user.emailVerified
    return found
  }
}

/**
 * The two ways to come from a provider. Better-Auth refuses an address that the provider has not verified with one code
 * if somebody has an account with it, and with another if nobody has; these do not tell.
 */
export const providerSignIn = { callbackOAuth: evened(callbackOAuth), signInSocial: evened(signInSocial()) }

function evened<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, (call, context) => {
    const visit = { mustVerify: false }
    return visits.run(visit, () =>
      call(context).catch((error: unknown) => {
        throw visit.mustVerify && isAPIError(error) ? unverified(error) : error
      }),
    )
  })
}

function unverified(error: APIError): APIError {
  if (error.body?.message === 'account not linked') {
    const { code, message } = BASE_ERROR_CODES.EMAIL_NOT_VERIFIED
    return refused(code, message)
  }
  if (error.headers instanceof Headers) {
    const to = error.headers.get('location')
    if (to !== null) error.headers.set('location', to.replace('error=account_not_linked', 'error=email_not_verified'))
  }
  return error
}
