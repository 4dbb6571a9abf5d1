import { randomUUID } from 'node:crypto'
import { createApp } from '../../src/app.ts'
import { type Document, operationsOf, ownUrl } from './document.ts'
import { password, type TestService } from './harness.ts'

/** How an operation of the OpenAPI document is called. */
export interface Call {
  id: string
  method: string
  /** From the root, with parameters as `{name}`. */
  path: string
  hasBody: boolean
  /** The status of its success. */
  success: number
}

/**
 * Who may call an operation: whoever is signed in (`own`), the user it is about or who has a permission (`orSelf`), or
 * only who has the permission. And a body that it takes.
 */
export interface Example {
  kind: 'own' | 'orSelf' | 'permission'
  body?: () => object
}

/** A good call of each operation. */
export const examples: Record<string, Example> = {
  getMe: { kind: 'own' },
  getCurrentSession: { kind: 'own' },
  listMyAccounts: { kind: 'own' },
  verifyToken: { kind: 'own', body: () => ({}) },
  listUsers: { kind: 'permission' },
  createUser: {
    kind: 'permission',
    body: () => ({ email: `${randomUUID()}@example.com`, name: 'New User', password }),
  },
  getUser: { kind: 'orSelf' },
  updateUser: { kind: 'orSelf', body: () => ({ name: 'Renamed' }) },
  deleteUser: { kind: 'permission' },
  setUserRole: { kind: 'permission', body: () => ({ role: 'moderator' }) },
  banUser: { kind: 'permission', body: () => ({ reason: 'Spam' }) },
  unbanUser: { kind: 'permission' },
  listUserAccounts: { kind: 'orSelf' },
  listUserSessions: { kind: 'orSelf' },
  revokeUserSessions: { kind: 'orSelf' },
  revokeUserSession: { kind: 'orSelf' },
  listUserGrants: { kind: 'orSelf' },
  endUserGrant: { kind: 'orSelf' },
  listClients: { kind: 'permission' },
  createClient: {
    kind: 'permission',
    body: () => ({ name: 'Weather', redirectUris: ['https://weather.example.com/cb'] }),
  },
  getClient: { kind: 'permission' },
  updateClient: { kind: 'permission', body: () => ({ name: 'Renamed' }) },
  deleteClient: { kind: 'permission' },
  replaceClientSecret: { kind: 'permission' },
  listAuditEvents: { kind: 'permission' },
  listUserAuditEvents: { kind: 'orSelf' },
}

/** How every operation that the running service documents is called. */
export async function documentedOperations({ request }: TestService): Promise<Call[]> {
  const document = (await (await request(ownUrl)).json()) as Document
  const base = new URL(document.servers[0]?.url ?? '').pathname
  return operationsOf(document).map(({ method, path, operation: { operationId = '', requestBody, responses } }) => ({
    id: operationId,
    method: method.toUpperCase(),
    path: base + path,
    hasBody: requestBody !== undefined,
    success: Math.min(...Object.keys(responses).map(Number)),
  }))
}

/** Every route under `/api/v1` that the service has, documented or not, as `METHOD path`. */
export async function servedRoutes({ services }: TestService): Promise<string[]> {
  const app = await createApp(services, () => true)
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/api/v1/'))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
  return [...new Set(routes)]
}

/** The path of an operation about this user, their session, or the client that acts for them. */
export function pathFor({ path }: Pick<Call, 'path'>, { id, sessionId }: { id: string; sessionId: string }): string {
  return path
    .replace('/clients/{id}', `/clients/${clientOf(id)}`)
    .replace('{clientId}', clientOf(id))
    .replace('{id}', id)
    .replace('{sid}', sessionId)
}

/** The id of the client that acts for a user. */
export const clientOf = (userId: string) => `of-${userId}`

/** Lets a client of its own act for a user. */
export async function grantClient<User extends { id: string }>({ db }: TestService, user: User): Promise<User> {
  const client = {
    client_id: clientOf(user.id),
    redirect_uris: '["https://app.example.com"]',
    scopes: '["users:read"]',
  }
  await db
    .insertInto('oauth_client')
    .values({ id: randomUUID(), ...client })
    .execute()
  await db
    .insertInto('oauth_grant')
    .values({ user_id: user.id, client_id: client.client_id, scopes: client.scopes })
    .execute()
  return user
}

/** The body of an operation's example, as options of a request. */
export function bodyFor({ id }: Call): { json?: object } {
  const body = examples[id]?.body
  return body ? { json: body() } : {}
}
