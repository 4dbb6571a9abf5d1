/** What was decided of an endpoint that Better-Auth or a plugin of it brings along. */
export type Decision = keyof typeof decisions

/** Every endpoint of Better-Auth and its plugins. A new one is decided here before the tests pass. */
export const decisions = {
  /** It answers, mostly after rules of ours. */
  served: `
    GET  /account-info
    POST /admin/ban-user
    POST /admin/create-user
    GET  /admin/get-user
    POST /admin/has-permission
    POST /admin/impersonate-user
    POST /admin/list-user-sessions
    GET  /admin/list-users
    POST /admin/remove-user
    POST /admin/revoke-user-session
    POST /admin/revoke-user-sessions
    POST /admin/set-role
    POST /admin/stop-impersonating
    POST /admin/unban-user
    POST /admin/update-user
    GET  /callback/:id
    POST /callback/:id
    POST /change-password
    POST /delete-user
    GET  /error
    POST /get-access-token
    GET  /get-session
    POST /link-social
    GET  /list-accounts
    GET  /list-sessions
    GET  /oauth2/authorize
    POST /oauth2/consent
    GET  /oauth2/end-session
    POST /oauth2/introspect
    POST /oauth2/public-client-prelogin
    POST /oauth2/revoke
    POST /oauth2/token
    GET  /oauth2/userinfo
    POST /oauth2/userinfo
    GET  /ok
    POST /refresh-token
    POST /request-password-reset
    POST /reset-password
    GET  /reset-password/:token
    POST /revoke-other-sessions
    POST /revoke-session
    POST /revoke-sessions
    POST /send-verification-email
    POST /sign-in/email
    POST /sign-in/social
    POST /sign-out
    POST /sign-up/email
    GET  /token
    POST /unlink-account
    POST /update-user
  `,
  /** An endpoint or a route of ours answers there. */
  replaced: `
    GET  /.well-known/oauth-authorization-server
    GET  /.well-known/openid-configuration
    POST /change-email
    POST /change-email/confirm
    GET  /jwks
    POST /oauth2/authorize
    POST /oauth2/end-session
    POST /reset-password/check
    POST /verify-email
  `,
  /** It answers that it does not do that here, whoever asks. */
  refused: `
    POST /get-session
    POST /update-session
  `,
  /** It is switched off. */
  disabled: `
    POST /admin/set-user-password
    GET  /delete-user/callback
    POST /oauth2/client/rotate-secret
    POST /oauth2/continue
    POST /oauth2/create-client
    POST /oauth2/delete-client
    POST /oauth2/delete-consent
    POST /oauth2/end-session/confirm
    GET  /oauth2/get-client
    GET  /oauth2/get-clients
    GET  /oauth2/get-consent
    GET  /oauth2/get-consents
    GET  /oauth2/public-client
    POST /oauth2/register
    POST /oauth2/update-client
    POST /oauth2/update-consent
    GET  /open-api/generate-schema
    GET  /reference
    POST /verify-password
  `,
  /** It is for calls within the process, though it names an address. */
  internal: `
    POST /admin/oauth2/create-client
    GET  /admin/oauth2/resources
    POST /admin/oauth2/resources
    GET  /admin/oauth2/resources/:identifier
    PATCH /admin/oauth2/resources/:identifier
    DELETE /admin/oauth2/resources/:identifier
    POST /admin/oauth2/resources/:identifier/clients/:client_id
    DELETE /admin/oauth2/resources/:identifier/clients/:client_id
    PATCH /admin/oauth2/update-client
  `,
}

/** The endpoints of which that was decided. */
export function endpointsThatAre(decision: Decision): [method: string, path: string][] {
  return decisions[decision]
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/) as [string, string])
}
