import { oauthProvider } from '@better-auth/oauth-provider'
import type { Config } from '../../config.ts'
import type { Db } from '../../db/database.ts'
import { type GuardEndpoint, notImpersonating } from '../endpoints/guard.ts'
import type { TokenSigner } from '../keys/token-signer.ts'
import type { Authenticate } from '../principal.ts'
import { guardAuthorization } from './authorization.ts'
import { guardIntrospection, guardRevocation, guardUserInfo } from './endpoints.ts'
import { guardEndSession } from './logout.ts'
import { oauthSchema } from './schema.ts'
import { oauthScopes } from './scopes.ts'
import { hashSecret } from './secret.ts'
import { guardToken, recordGrant } from './token.ts'

/** Endpoints of the provider that are not ours: clients and grants are managed by `/api/v1` alone. */
export const closedOAuthPaths = [
  '/oauth2/register',
  '/oauth2/create-client',
  '/oauth2/get-client',
  '/oauth2/get-clients',
  '/oauth2/public-client',
  '/oauth2/update-client',
  '/oauth2/delete-client',
  '/oauth2/client/rotate-secret',
  '/oauth2/get-consent',
  '/oauth2/get-consents',
  '/oauth2/update-consent',
  '/oauth2/delete-consent',
  '/oauth2/continue',
  '/oauth2/end-session/confirm',
]

interface Dependencies {
  config: Config
  db: Db
  signer: TokenSigner
  authenticate: Authenticate
  guard: GuardEndpoint
}

const hour = 3_600
const day = 24 * hour

/**
 * The OAuth 2.1 authorization server and OpenID provider.
 * @see RFC 6749, RFC 7636, RFC 8707, RFC 9068, OpenID Connect Core 1.0
 */
export function oauthPlugin({ config, db, signer, authenticate, guard }: Dependencies) {
  const plugin = oauthProvider({
    loginPage: '/sign-in',
    consentPage: '/consent',
    signup: { page: '/sign-up' },
    selectAccount: { page: '/sign-in', shouldRedirect: () => false },
    scopes: [...oauthScopes],
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    accessTokenExpiresIn: config.jwt.ttlSeconds,
    m2mAccessTokenExpiresIn: config.jwt.ttlSeconds,
    idTokenExpiresIn: hour,
    // Not used for so long, it ends; the database ends the family after 90 days.
    refreshTokenExpiresIn: 30 * day,
    enforcePerClientResources: false,
    clientPrivileges: () => false,
    resourcePrivileges: () => false,
    allowPublicClientPrelogin: true,
    storeClientSecret: { hash: hashSecret },
    storeTokens: { hash: hashSecret },
    customTokenResponseFields: recordGrant,
    schema: oauthSchema(),
  })
  const { endpoints } = plugin
  const issuer = `${config.baseUrl}/api/auth`
  const resource = `${config.baseUrl}/api/v1`
  // Its type is not one of an endpoint where optional properties are exact.
  const oauth2Authorize = guardAuthorization(endpoints.oauth2Authorize as never, { db, issuer, resource })
  return {
    ...plugin,
    endpoints: {
      ...endpoints,
      oauth2Authorize,
      // What the library writes there takes no part in a transaction of ours.
      oauth2Consent: guard(endpoints.oauth2Consent, { rules: [notImpersonating], inTransaction: false }),
      oauth2Token: guardToken(endpoints.oauth2Token, { db, signer, resource }),
      oauth2Introspect: guardIntrospection(endpoints.oauth2Introspect, authenticate),
      oauth2Revoke: guardRevocation(endpoints.oauth2Revoke, { db, authenticate }),
      oauth2EndSession: guardEndSession(endpoints.oauth2EndSession),
      oauth2UserInfo: guardUserInfo(endpoints.oauth2UserInfo, authenticate),
    },
  }
}
