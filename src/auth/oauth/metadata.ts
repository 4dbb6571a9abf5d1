import type { Auth } from '../auth.ts'

// What the provider's library can do and this service does not offer.
const withheld = [
  'registration_endpoint',
  'token_endpoint_auth_signing_alg_values_supported',
  'revocation_endpoint_auth_signing_alg_values_supported',
  'introspection_endpoint_auth_signing_alg_values_supported',
  'backchannel_logout_supported',
  'backchannel_logout_session_supported',
  'dpop_signing_alg_values_supported',
  'client_id_metadata_document_supported',
]
const withSecret = ['client_secret_basic', 'client_secret_post']

/** What a client must know of the provider, as it asks for it. @see OpenID Connect Discovery 1.0, RFC 8414 */
export async function providerMetadata(auth: Auth): Promise<Record<string, unknown>> {
  const metadata = Object.entries(await auth.api.getOpenIdConfig()).filter(([name]) => !withheld.includes(name))
  return {
    ...Object.fromEntries(metadata),
    claims_parameter_supported: false,
    token_endpoint_auth_methods_supported: [...withSecret, 'none'],
    introspection_endpoint_auth_methods_supported: withSecret,
    revocation_endpoint_auth_methods_supported: [...withSecret, 'none'],
  }
}
