import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { countRows, type Total } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import type { Position } from '../http/cursor.ts'

export type AuthMethod = 'client_secret_basic' | 'client_secret_post' | 'none'

/** What is read of a client. */
export interface ClientRow {
  id: string
  client_id: string
  name: string | null
  uri: string | null
  auth_method: AuthMethod
  redirect_uris: string[]
  post_logout_redirect_uris: string[]
  scopes: string[]
  client_credentials_scopes: string[]
  disabled: boolean
  is_configured: boolean
  created_at: Date
  updated_at: Date
}

/** What a client is made of; of a change, what is undefined stays. */
export interface ClientValues {
  name?: string | undefined
  uri?: string | null | undefined
  redirectUris?: readonly string[] | undefined
  postLogoutRedirectUris?: readonly string[] | undefined
  scopes?: readonly string[] | undefined
  clientCredentialsScopes?: readonly string[] | undefined
  disabled?: boolean | undefined
}

interface NewClient extends ClientValues {
  userId: string | null
  authMethod: AuthMethod
  secretHash: string | null
}

function select(db: Db) {
  return db
    .selectFrom('oauth_client')
    .select(['id', 'client_id', 'name', 'uri', 'disabled', 'is_configured', 'created_at', 'updated_at'])
    .select([
      sql<AuthMethod>`coalesce(token_endpoint_auth_method, 'client_secret_basic')`.as('auth_method'),
      sql<string[]>`redirect_uris`.as('redirect_uris'),
      sql<string[]>`coalesce(post_logout_redirect_uris, '[]')`.as('post_logout_redirect_uris'),
      sql<string[]>`coalesce(scopes, '[]')`.as('scopes'),
      sql<string[]>`coalesce(client_credentials_scopes, '[]')`.as('client_credentials_scopes'),
    ])
}

/** One client by its `client_id`, or undefined. */
export function findClient(db: Db, clientId: string): Promise<ClientRow | undefined> {
  return select(db).where('client_id', '=', clientId).executeTakeFirst()
}

/** The same, and nobody else can change it until the transaction ends. */
export function lockClient(trx: Db, clientId: string): Promise<ClientRow | undefined> {
  return select(trx).where('client_id', '=', clientId).forUpdate().executeTakeFirst()
}

/** The clients, newest first, after a position: at most `limit` of them. */
export function listClients(
  db: Db,
  { after, limit }: { after: Position | undefined; limit: number },
): Promise<ClientRow[]> {
  let query = select(db)
  if (after) {
    const [createdAt, id] = after
    query = query.where(sql<boolean>`(created_at, id) < (${new Date(createdAt)}, ${id})`)
  }
  return query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
}

/** Where a page that ends with this row is continued. */
export function positionOf({ created_at, id }: ClientRow): Position {
  return [created_at.getTime(), id]
}

/** How many clients there are. */
export function countClients(db: Db): Promise<Total> {
  return countRows(db, db.selectFrom('oauth_client').select('id'))
}

/** Makes a client. Returns its `client_id`. */
export async function insertClient(db: Db, { userId, authMethod, secretHash, ...values }: NewClient): Promise<string> {
  const { client_id } = await db
    .insertInto('oauth_client')
    .values({
      id: randomUUID(),
      client_id: randomBytes(16).toString('base64url'),
      client_secret: secretHash,
      user_id: userId,
      token_endpoint_auth_method: authMethod,
      response_types: JSON.stringify(['code']),
      enable_end_session: true,
      redirect_uris: '[]',
      ...columnsOf(values),
      grant_types: JSON.stringify(grantTypesOf(values.redirectUris ?? [], values.clientCredentialsScopes ?? [])),
    })
    .returning('client_id')
    .executeTakeFirstOrThrow()
  return client_id
}

/** Changes what is given of a client, which is locked. */
export async function updateClient(db: Db, row: ClientRow, change: ClientValues): Promise<void> {
  const grantTypes = grantTypesOf(
    change.redirectUris ?? row.redirect_uris,
    change.clientCredentialsScopes ?? row.client_credentials_scopes,
  )
  await db
    .updateTable('oauth_client')
    .set({ ...columnsOf(change), grant_types: JSON.stringify(grantTypes), updated_at: new Date() })
    .where('client_id', '=', row.client_id)
    .execute()
}

/** Gives a client another secret; the old one is good no more. */
export async function setSecret(db: Db, clientId: string, secretHash: string): Promise<void> {
  await db
    .updateTable('oauth_client')
    .set({ client_secret: secretHash, updated_at: new Date() })
    .where('client_id', '=', clientId)
    .execute()
}

/** Deletes a client with its grants and tokens. */
export async function deleteClient(db: Db, clientId: string): Promise<void> {
  await db.deleteFrom('oauth_client').where('client_id', '=', clientId).execute()
}

function grantTypesOf(redirectUris: readonly string[], ownScopes: readonly string[]): string[] {
  const forPeople = redirectUris.length > 0 ? ['authorization_code', 'refresh_token'] : []
  return ownScopes.length > 0 ? [...forPeople, 'client_credentials'] : forPeople
}

function columnsOf(values: ClientValues) {
  const columns = {
    name: values.name,
    uri: values.uri,
    disabled: values.disabled,
    redirect_uris: text(values.redirectUris),
    post_logout_redirect_uris: text(values.postLogoutRedirectUris),
    scopes: text(values.scopes),
    client_credentials_scopes: text(values.clientCredentialsScopes),
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

function text(values: readonly string[] | undefined): string | undefined {
  return values && JSON.stringify(values)
}
