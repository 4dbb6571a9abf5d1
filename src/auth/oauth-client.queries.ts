import { sql } from 'kysely'
import type { Db } from '../db/database.ts'

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

/** Whether a client may have people sent to an address. One without a secret, on a device, takes any port there. */
export async function isRedirectUriOf(db: Db, clientId: string, uri: string): Promise<boolean> {
  const client = await db
    .selectFrom('oauth_client')
    .select([
      sql<boolean>`redirect_uris ? ${uri}`.as('is_registered'),
      sql<boolean>`token_endpoint_auth_method = 'none' and not is_configured`.as('is_native'),
    ])
    .where('client_id', '=', clientId)
    .executeTakeFirst()
  return client === undefined || client.is_registered || client.is_native
}
