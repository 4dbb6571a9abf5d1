import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { ConfigError } from '../../config.ts'
import type { Db, Tx } from '../../db/database.ts'
import { inTransaction } from '../../db/transaction.ts'
import { lockAuthority } from '../authority/authority.queries.ts'
import type { FirstPartyClient } from './first-party-clients.ts'

/**
 * Makes the clients of `auth.config.ts`, and the API as the resource that tokens are for, exactly what they are there.
 * A client that is not there any more is disabled, and its tokens end: it may be back with the next start.
 * @throws ConfigError for a client whose id a registered one has
 */
export function syncOAuth(db: Db, resource: string, clients: readonly FirstPartyClient[]): Promise<void> {
  return inTransaction(db, async (trx) => {
    await disableOthers(trx, clients)
    await trx
      .insertInto('oauth_resource')
      .values({ id: randomUUID(), identifier: resource, name: 'REST API', disabled: false, created_at: new Date() })
      .onConflict((conflict) => conflict.column('identifier').doUpdateSet({ disabled: false }))
      .execute()
    // At another address the service is another resource.
    await trx.updateTable('oauth_resource').set({ disabled: true }).where('identifier', '<>', resource).execute()
    for (const client of clients) {
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('oauth_client')
        .values({ id: randomUUID(), client_id: client.id, is_configured: true, ...columnsOf(client) })
        .onConflict((conflict) =>
          conflict
            .column('client_id')
            .doUpdateSet({ ...columnsOf(client), updated_at: sql`current_timestamp` })
            .where('oauth_client.is_configured', '=', true),
        )
        .executeTakeFirst()
      if (numInsertedOrUpdatedRows === 0n) {
        throw new ConfigError([`auth.config.ts: client ${client.id}: a registered client has this id already`])
      }
    }
  })
}

async function disableOthers(trx: Tx, clients: readonly FirstPartyClient[]): Promise<void> {
  const known = clients.map(({ id }) => id)
  const others = await trx
    .selectFrom('oauth_client')
    .select('client_id')
    .where('is_configured', '=', true)
    .where('disabled', '=', false)
    .where('client_id', 'not in', known)
    .execute()
  if (others.length === 0) return
  // To disable a client ends its tokens: that queues with other changes of authority, and before it locks rows.
  await lockAuthority(trx)
  const ids = others.map(({ client_id }) => client_id)
  await trx.updateTable('oauth_client').set({ disabled: true }).where('client_id', 'in', ids).execute()
}

function columnsOf({ name, redirectUris, postLogoutRedirectUris = [], scopes, isConfidential }: FirstPartyClient) {
  return {
    name,
    redirect_uris: JSON.stringify(redirectUris),
    post_logout_redirect_uris: JSON.stringify(postLogoutRedirectUris),
    scopes: JSON.stringify(scopes),
    grant_types: JSON.stringify(['authorization_code', 'refresh_token']),
    response_types: JSON.stringify(['code']),
    token_endpoint_auth_method: isConfidential ? 'client_secret_basic' : 'none',
    skip_consent: true,
    enable_end_session: true,
    disabled: false,
  }
}
