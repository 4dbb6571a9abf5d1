// Generated from migrations/ by `npm run db:types`.
import type { ColumnType, Generated } from 'kysely'

type Timestamp = ColumnType<Date, Date | string, Date | string>
type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>

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

export interface RateLimitTable {
  id: string
  key: string
  count: number
  last_request: number
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
  jwks: JwksTable
  rate_limit: RateLimitTable
  role: RoleTable
  session: SessionTable
  setup_link: SetupLinkTable
  user: UserTable
  verification: VerificationTable
}
