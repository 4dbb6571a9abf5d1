import type { AuthConfig, ConfiguredClient } from '../auth-config.ts'
import { oauthScopes } from './scopes.ts'

/** A client of the operator's own, which asks nobody for consent. */
export interface FirstPartyClient extends ConfiguredClient {
  id: string
}

/** The client with which people try the API on its reference page. */
export const referenceClientId = 'reference'

/** Where they come back to: a page that asks for nothing more, as its window is closed at once. */
export const referenceReturnPath = '/api/v1/docs/signed-in'

/** The clients of `auth.config.ts`, and that of the reference page. */
export function firstPartyClients({ clients, brand }: AuthConfig, baseUrl: string): FirstPartyClient[] {
  const reference = {
    name: `${brand.name} reference`,
    redirectUris: [`${baseUrl}${referenceReturnPath}`],
    // A page keeps no refresh token: what it is given ends with the session.
    scopes: oauthScopes.filter((scope) => scope !== 'offline_access'),
  }
  return [...[...clients].map(([id, client]) => ({ id, ...client })), { id: referenceClientId, ...reference }]
}
