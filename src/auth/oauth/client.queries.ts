import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'

/** By what a client shows that it is the one that it says. */
export interface ClientProof {
  disabled: boolean
  method: string
  /** Null for a client that has no secret. */
  secret_hash: string | null
}

/** How a client proves itself; undefined when there is none of that id. */
export function findProof(db: Db, clientId: string): Promise<ClientProof | undefined> {
  return db
    .selectFrom('oauth_client')
    .select(['disabled', 'client_secret as secret_hash'])
    .select(sql<string>`coalesce(token_endpoint_auth_method, 'client_secret_basic')`.as('method'))
    .where('client_id', '=', clientId)
    .executeTakeFirst()
}

/** What an address is to a client that would have people sent there. */
export interface Redirection {
  is_registered: boolean
  /** Whether the client has no secret: it may be on a device. Those of auth.config.ts are the operator's own. */
  is_public: boolean
}

/** What an address is to a client; undefined when there is no such client. */
export function findRedirection(db: Db, clientId: string, uri: string): Promise<Redirection | undefined> {
  return db
    .selectFrom('oauth_client')
    .select([
      sql<boolean>`redirect_uris ? ${uri}`.as('is_registered'),
      sql<boolean>`token_endpoint_auth_method = 'none' and not is_configured`.as('is_public'),
    ])
    .where('client_id', '=', clientId)
    .executeTakeFirst()
}
