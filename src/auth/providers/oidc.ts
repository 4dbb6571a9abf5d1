import type { AuthContext } from '@better-auth/core'
import type { OAuthProvider } from '@better-auth/core/oauth2'
import type { BetterAuthPlugin } from 'better-auth'
import { APIError } from 'better-auth/api'
import { genericOAuth } from 'better-auth/plugins'
import type { Config } from '../../config.ts'
import { isPrivate } from '../../http/loopback.ts'
import type { Log } from '../../log.ts'
import { createDiscovery } from './discovery.ts'
import { demandClaims, isIssuedWith } from './id-token.ts'
import { limitOutbound } from './outbound.ts'
import { mapOpenIdProfile, signUpRules } from './profiles.ts'

type Settings = NonNullable<Config['oidc']>

const id = 'oidc'

/** Sign-in with the OpenID provider that is configured. It may be down: it is asked when somebody wants to sign in. */
export function oidcPlugin(settings: Settings, config: Config, log: Log) {
  return {
    id,
    init(context: AuthContext) {
      const discovered = createDiscovery(async () => {
        try {
          return await discover(settings, config, context)
        } catch (err) {
          log.warn({ err }, `${settings.name} cannot be used to sign in`)
          const message = `${settings.name} does not answer`
          throw new APIError('SERVICE_UNAVAILABLE', { code: 'PROVIDER_UNAVAILABLE', message }, { 'retry-after': '5' })
        }
      })
      const provider = deferred(settings, config, discovered)
      return { context: { socialProviders: [...context.socialProviders, provider] } }
    },
  } satisfies BetterAuthPlugin
}

/** The provider as Better-Auth's plugin makes it of what the provider says of itself. */
async function discover({ issuer, clientId, clientSecret }: Settings, config: Config, context: AuthContext) {
  const plugin = genericOAuth({
    config: [
      {
        providerId: id,
        clientId,
        clientSecret,
        discoveryUrl: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
        requireIdTokenVerification: true,
        // How a client proves to be itself unless it was registered otherwise (OpenID Connect Core 1.0 section 9).
        authentication: 'basic',
        scopes: ['openid', 'email', 'profile'],
        mapProfileToUser: mapOpenIdProfile,
        ...signUpRules(config),
      },
    ],
  })
  const made = await limitOutbound(() => plugin.init({ ...context, socialProviders: [] }))
  const [provider] = made.context.socialProviders
  if (!provider) throw new Error(`There is no OpenID configuration at ${issuer}`)
  if (provider.issuer !== issuer) throw new Error('OIDC_ISSUER is not what the provider calls itself')
  demandClaims(provider)
  // The plugin does not say where its sign-in page is, but for the whole URL.
  const url = await provider.createAuthorizationURL({ state: '', codeVerifier: '', redirectURI: '' })
  if (!isPrivate(url)) throw new Error('Its sign-in page is not at https')
  return provider
}

/** Stands for a provider that is yet to be discovered, and takes of it only what belongs to a checked ID token. */
function deferred({ issuer, name }: Settings, config: Config, discovered: () => Promise<OAuthProvider>): OAuthProvider {
  return {
    id,
    name,
    issuer,
    requiresIdTokenNonce: true,
    options: signUpRules(config),
    accountSubject: ({ profile }) => (profile as { sub: string }).sub,
    createAuthorizationURL: async (data) => (await discovered()).createAuthorizationURL(data),
    validateAuthorizationCode: async (data) => (await discovered()).validateAuthorizationCode(data),
    async getUserInfo(tokens) {
      const { idToken, accessToken } = tokens
      // Without one the plugin would take anybody's access token.
      if (!idToken) return null
      const found = await (await discovered()).getUserInfo(tokens)
      return found && isIssuedWith(idToken, accessToken, found.data) ? found : null
    },
    refreshAccessToken: async (token, context) => {
      const { refreshAccessToken } = await discovered()
      if (!refreshAccessToken) throw new Error('The provider refreshes no tokens')
      return refreshAccessToken(token, context)
    },
  }
}
