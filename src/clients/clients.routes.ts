import { createRoute, z } from '@hono/zod-openapi'
import { lockAuthority } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import { excludeClient } from '../auth/oauth/oauth.queries.ts'
import { hashSecret, newSecret } from '../auth/oauth/secret.ts'
import { type Authenticated, assertStillAuthorized } from '../auth/principal.ts'
import type { Roles } from '../auth/roles.ts'
import type { Db, Tx } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Cursors } from '../http/cursor.ts'
import { cutPage, pageResponse } from '../http/page.ts'
import { ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { assertChangeable, assertMayChange, assertMayGive, assertUsable } from './client-rules.ts'
import {
  type ClientRow,
  countClients,
  deleteClient,
  findClient,
  insertClient,
  listClients,
  lockClient,
  positionOf,
  setSecret,
  updateClient,
} from './clients.queries.ts'
import {
  Client,
  ClientChangeBody,
  ClientPath,
  ClientWithSecret,
  ListClients,
  NewClientBody,
  toClient,
} from './clients.schemas.ts'

interface Dependencies {
  db: Db
  requires: Requires
  roles: Roles
  cursors: Cursors
}

const clientResponse = { description: 'The client', content: { 'application/json': { schema: Client } } }
const secretResponse = { description: 'The client', content: { 'application/json': { schema: ClientWithSecret } } }

/** `/clients`: the applications that sign people in here, and the machines that call `/api/v1`. */
export function clientsRoutes({ db, requires, roles, cursors }: Dependencies) {
  /** Runs a change to a client that the principal may change, in a transaction in which nobody else can. */
  function change<T>(authenticated: Authenticated, id: string, work: (trx: Tx, client: ClientRow) => Promise<T>) {
    return inTransaction(db, async (trx) => {
      await lockAuthority(trx)
      await excludeClient(trx, id)
      const client = await lockClient(trx, id)
      if (!client) throw noSuchClient()
      await assertStillAuthorized(trx, roles, authenticated)
      assertMayChange(authenticated.principal, client)
      return work(trx, client)
    })
  }

  return createRouter()
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'listClients',
        summary: 'The OAuth clients, newest first',
        tags: ['Clients'],
        method: 'get',
        path: '/clients',
        request: { query: ListClients },
        responses: { 200: pageResponse('A page of clients', Client), ...problems('validation') },
      }),
      async (c) => {
        const { limit, cursor, include } = c.req.valid('query')
        const query = { list: 'clients' }
        const after = cursor === undefined ? undefined : cursors.decode(cursor, query)
        const rows = await listClients(db, { after, limit: limit + 1 })
        const total = include === 'total' ? { total: await countClients(db) } : {}
        const { data, page } = cutPage(c, rows, limit, (last) => cursors.encode(positionOf(last), query))
        return c.json({ data: data.map(toClient), page, ...total }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'createClient',
        summary: 'Register an OAuth client',
        description:
          'The secret is in this answer only. What a client may do for itself, its maker must be allowed too.',
        tags: ['Clients'],
        method: 'post',
        path: '/clients',
        request: { body: { required: true, content: { 'application/json': { schema: NewClientBody } } } },
        responses: {
          201: {
            ...secretResponse,
            headers: z.object({ location: z.string().openapi({ example: '/api/v1/clients/Hn2bQx8kTq0vYw4mZr6sLA' }) }),
          },
          ...problems('validation'),
        },
      }),
      async (c) => {
        const { tokenEndpointAuthMethod: authMethod, ...values } = c.req.valid('json')
        const { principal } = c.var
        assertUsable({ ...values, authMethod })
        assertMayGive(principal, values)
        const secret = authMethod === 'none' ? null : newSecret()
        const userId = principal.kind === 'user' ? principal.subject : null
        const id = await inTransaction(db, async (trx) => {
          await assertStillAuthorized(trx, roles, c.var.authenticated)
          return insertClient(trx, { ...values, userId, authMethod, secretHash: secret && hashSecret(secret) })
        })
        c.header('location', `/api/v1/clients/${id}`)
        return c.json({ ...(await getClient(db, id)), secret }, 201)
      },
    )
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'getClient',
        summary: 'One OAuth client',
        tags: ['Clients'],
        method: 'get',
        path: '/clients/{id}',
        request: { params: ClientPath },
        responses: { 200: clientResponse, ...problems('not-found', 'validation') },
      }),
      async (c) => c.json(await getClient(db, c.req.valid('param').id), 200),
    )
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'updateClient',
        summary: 'Change an OAuth client',
        description: 'What it may do no more, its tokens may not from the next request on. `disabled` ends them all.',
        tags: ['Clients'],
        method: 'patch',
        path: '/clients/{id}',
        request: {
          params: ClientPath,
          body: { required: true, content: { 'application/json': { schema: ClientChangeBody } } },
        },
        responses: { 200: clientResponse, ...problems('not-found', 'conflict', 'validation') },
      }),
      async (c) => {
        const { id } = c.req.valid('param')
        const values = c.req.valid('json')
        assertMayGive(c.var.principal, values)
        await change(c.var.authenticated, id, async (trx, client) => {
          assertChangeable(client)
          assertUsable({
            redirectUris: values.redirectUris ?? client.redirect_uris,
            clientCredentialsScopes: values.clientCredentialsScopes ?? client.client_credentials_scopes,
            authMethod: client.auth_method,
          })
          await updateClient(trx, client, values)
        })
        return c.json(await getClient(db, id), 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'deleteClient',
        summary: 'Delete an OAuth client, its grants and its tokens',
        tags: ['Clients'],
        method: 'delete',
        path: '/clients/{id}',
        request: { params: ClientPath },
        responses: { 204: { description: 'Deleted' }, ...problems('not-found', 'conflict', 'validation') },
      }),
      async (c) => {
        const { id } = c.req.valid('param')
        await change(c.var.authenticated, id, async (trx, client) => {
          assertChangeable(client)
          await deleteClient(trx, id)
        })
        return c.body(null, 204)
      },
    )
    .openapi(
      createRoute({
        ...requires('clients:manage'),
        operationId: 'replaceClientSecret',
        summary: 'Give an OAuth client another secret',
        description: 'The secret is in this answer only. The old one is good no more.',
        tags: ['Clients'],
        method: 'post',
        path: '/clients/{id}/secret',
        request: { params: ClientPath },
        responses: { 200: secretResponse, ...problems('not-found', 'conflict', 'validation') },
      }),
      async (c) => {
        const { id } = c.req.valid('param')
        const secret = newSecret()
        await change(c.var.authenticated, id, async (trx, { auth_method }) => {
          if (auth_method === 'none') throw new ProblemError('conflict', 'This client is one that keeps no secret.')
          await setSecret(trx, id, hashSecret(secret))
        })
        return c.json({ ...(await getClient(db, id)), secret }, 200)
      },
    )
}

async function getClient(db: Db, id: string): Promise<z.infer<typeof Client>> {
  const client = await findClient(db, id)
  if (!client) throw noSuchClient()
  return toClient(client)
}

function noSuchClient(): ProblemError {
  return new ProblemError('not-found', 'There is no client with this id.')
}
