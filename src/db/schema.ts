// Generated from migrations/ by `npm run db:types`.
import type { ColumnType, Generated } from 'kysely'

type Timestamp = ColumnType<Date, Date | string, Date | string>
type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>
/** Read as a value, written as its text. */
type Json = ColumnType<unknown, string, string>

export interface AccountTable {
  id: string
  account_id: string
  provider_id: string
  user_id: string
  access_token: string | null
  refresh_token: string | null
  id_token: string | null
  access_token_expires_at: Timestamp | null
  refresh_token_expires_at: Timestamp | null
  scope: string | null
  password: string | null
  created_at: GeneratedTimestamp
  updated_at: Timestamp
}

export interface AuditEventTable {
  seq: number
  created_at: Timestamp
  action: string
  actor_type: string
  actor_id: string | null
  client_id: string | null
  target_type: string | null
  target_id: string | null
  changes: Json
  reason: string | null
  request_id: string | null
  ip_address: string | null
  user_agent: string | null
  hash: Buffer
}

export interface AuditHeadTable {
  id: Generated<boolean>
  first_seq: number
  first_hash: Buffer
  last_seq: number
  last_hash: Buffer
  last_at: Timestamp
}

export interface AuditPendingTable {
  place: number
  action: string
  actor_type: string
  actor_id: string | null
  client_id: string | null
  target_type: string | null
  target_id: string | null
  changes: Json
  reason: string | null
  request_id: string | null
  ip_address: string | null
  user_agent: string | null
}

export interface JwksTable {
  id: string
  public_key: string
  private_key: string
  created_at: Timestamp
  expires_at: Timestamp | null
  active_at: GeneratedTimestamp
  alg: string | null
  crv: string | null
}

export interface KnownAddressTable {
  user_id: string
  block: string
  last_used_at: Timestamp
}

export interface OauthAccessTokenTable {
  id: string
  token: string
  client_id: string
  session_id: string | null
  user_id: string | null
  reference_id: string | null
  authorization_code_id: string | null
  resources: Json | null
  requested_user_info_claims: Json | null
  refresh_id: string | null
  expires_at: Timestamp
  created_at: Timestamp
  revoked: Timestamp | null
  confirmation: Json | null
  scopes: Json
}

export interface OauthClientTable {
  id: string
  client_id: string
  client_secret: string | null
  client_discovery_id: string | null
  disabled: Generated<boolean>
  skip_consent: Generated<boolean>
  enable_end_session: Generated<boolean>
  subject_type: string | null
  scopes: Json | null
  client_credentials_scopes: Json | null
  user_id: string | null
  created_at: GeneratedTimestamp
  updated_at: GeneratedTimestamp
  name: string | null
  uri: string | null
  icon: string | null
  contacts: Json | null
  tos: string | null
  policy: string | null
  software_id: string | null
  software_version: string | null
  software_statement: string | null
  redirect_uris: Json
  post_logout_redirect_uris: Json | null
  backchannel_logout_uri: string | null
  backchannel_logout_session_required: boolean | null
  token_endpoint_auth_method: string | null
  application_type: string | null
  jwks: string | null
  jwks_uri: string | null
  grant_types: Json | null
  response_types: Json | null
  require_pkce: Generated<boolean>
  dpop_bound_access_tokens: boolean | null
  reference_id: string | null
  metadata: Json | null
  is_configured: Generated<boolean>
  valid_after: Timestamp | null
}

export interface OauthClientAssertionTable {
  id: string
  expires_at: Timestamp
}

export interface OauthClientResourceTable {
  id: string
  client_id: string
  resource_id: string
  metadata: Json | null
  created_at: Timestamp | null
}

export interface OauthConsentTable {
  id: string
  client_id: string
  user_id: string | null
  reference_id: string | null
  resources: Json | null
  requested_user_info_claims: Json | null
  scopes: Json
  created_at: Timestamp
  updated_at: Timestamp
}

export interface OauthGrantTable {
  user_id: string
  client_id: string
  scopes: Json
  created_at: GeneratedTimestamp
  updated_at: GeneratedTimestamp
  ended_at: Timestamp | null
  valid_after: Timestamp | null
}

export interface OauthRedeemedCodeTable {
  code_hash: string
  user_id: string
  client_id: string
  redeemed_at: GeneratedTimestamp
}

export interface OauthRefreshTokenTable {
  id: string
  token: string
  client_id: string
  session_id: string | null
  user_id: string
  reference_id: string | null
  authorization_code_id: string | null
  resources: Json | null
  requested_user_info_claims: Json | null
  expires_at: Timestamp
  created_at: Timestamp
  revoked: Timestamp | null
  rotated_at: Timestamp | null
  rotation_replay_response: string | null
  rotation_replay_expires_at: Timestamp | null
  auth_time: Timestamp | null
  confirmation: Json | null
  scopes: Json
  family_started_at: GeneratedTimestamp
}

export interface OauthResourceTable {
  id: string
  identifier: string
  name: string
  access_token_ttl: number | null
  refresh_token_ttl: number | null
  signing_algorithm: string | null
  signing_key_id: string | null
  allowed_scopes: Json | null
  custom_claims: Json | null
  dpop_bound_access_tokens_required: boolean | null
  disabled: boolean | null
  created_at: Timestamp | null
  updated_at: Timestamp | null
  policy_version: number | null
  metadata: Json | null
}

export interface OauthRevokedTokenTable {
  jti: string
  expires_at: Timestamp
}

export interface PasswordAttemptTable {
  key: string
  attempts: number
  ends_at: Timestamp
}

export interface RateLimitTable {
  id: string
  key: string
  count: number
  last_request: number
}

export interface RequestCountTable {
  key: string
  requests: number
  ends_at: Timestamp
}

export interface RoleTable {
  name: string
}

export interface SessionTable {
  id: string
  expires_at: Timestamp
  not_after: Timestamp
  token: string
  created_at: GeneratedTimestamp
  updated_at: Timestamp
  ip_address: string | null
  user_agent: string | null
  user_id: string
  impersonated_by: string | null
}

export interface SetupLinkTable {
  token_hash: string
  expires_at: Timestamp
}

export interface UserTable {
  id: string
  name: string
  email: string
  email_verified: Generated<boolean>
  image: string | null
  role: Generated<string>
  banned: Generated<boolean>
  ban_reason: string | null
  ban_expires: Timestamp | null
  valid_after: Timestamp | null
  created_at: GeneratedTimestamp
  updated_at: GeneratedTimestamp
}

export interface VerificationTable {
  id: string
  identifier: string
  value: string
  expires_at: Timestamp
  created_at: GeneratedTimestamp
  updated_at: GeneratedTimestamp
}

export interface DB {
  account: AccountTable
  audit_event: AuditEventTable
  audit_head: AuditHeadTable
  audit_pending: AuditPendingTable
  jwks: JwksTable
  known_address: KnownAddressTable
  oauth_access_token: OauthAccessTokenTable
  oauth_client: OauthClientTable
  oauth_client_assertion: OauthClientAssertionTable
  oauth_client_resource: OauthClientResourceTable
  oauth_consent: OauthConsentTable
  oauth_grant: OauthGrantTable
  oauth_redeemed_code: OauthRedeemedCodeTable
  oauth_refresh_token: OauthRefreshTokenTable
  oauth_resource: OauthResourceTable
  oauth_revoked_token: OauthRevokedTokenTable
  password_attempt: PasswordAttemptTable
  rate_limit: RateLimitTable
  request_count: RequestCountTable
  role: RoleTable
  session: SessionTable
  setup_link: SetupLinkTable
  user: UserTable
  verification: VerificationTable
}
