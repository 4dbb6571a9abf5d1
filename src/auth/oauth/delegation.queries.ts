import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import type { OAuthClaims } from '../access-token.ts'
import { type AuthorityRow, selectAuthorityOf } from '../authority/authority.queries.ts'

/** What every access token of a client hangs on. */
export interface ClientRow {
  /** Null when there is no such client. */
  client_enabled: boolean | null
  client_valid_after: Date | null
  /** What the client may do for itself, and what it may ask people for. */
  client_own_scopes: string[] | null
  client_scopes: string[] | null
  is_revoked: boolean
}

/** The authority of a user, with the client and the grant by which it acts for them; all null where there is none. */
export interface DelegationRow extends AuthorityRow, ClientRow {
  granted_at: Date | null
  grant_scopes: string[] | null
  grant_ended_at: Date | null
  grant_valid_after: Date | null
}

type Reference = Pick<OAuthClaims, 'sub' | 'sid' | 'client_id' | 'jti'>

/** The authority of the user of an access token, with its session, its client and their grant. */
export function findDelegation(db: Db, { sub, sid, client_id, jti }: Reference): Promise<DelegationRow | undefined> {
  return selectAuthorityOf(db, sub, sid ?? null)
    .leftJoin('oauth_client', (join) => join.on('oauth_client.client_id', '=', client_id))
    .leftJoin('oauth_grant', (join) =>
      join.onRef('oauth_grant.user_id', '=', 'user.id').on('oauth_grant.client_id', '=', client_id),
    )
    .select([
      'oauth_grant.created_at as granted_at',
      'oauth_grant.ended_at as grant_ended_at',
      'oauth_grant.valid_after as grant_valid_after',
    ])
    .select(sql<string[] | null>`oauth_grant.scopes`.as('grant_scopes'))
    .select(clientColumns(jti))
    .executeTakeFirst()
}

/** The authority of a client that acts for itself. */
export function findMachine(db: Db, { client_id, jti }: Reference): Promise<ClientRow | undefined> {
  return db.selectFrom('oauth_client').select(clientColumns(jti)).where('client_id', '=', client_id).executeTakeFirst()
}

function clientColumns(jti: string) {
  return [
    sql<boolean | null>`not oauth_client.disabled`.as('client_enabled'),
    sql<Date | null>`oauth_client.valid_after`.as('client_valid_after'),
    sql<string[] | null>`oauth_client.client_credentials_scopes`.as('client_own_scopes'),
    sql<string[] | null>`oauth_client.scopes`.as('client_scopes'),
    sql<boolean>`exists (select from oauth_revoked_token where jti = ${jti})`.as('is_revoked'),
  ] as const
}
