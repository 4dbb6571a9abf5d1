import { createRoute, z } from '@hono/zod-openapi'
import { userExists } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import type { Db } from '../db/database.ts'
import { problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { resolveId, UserPath } from '../resources/parameters.ts'
import { noSuchUser } from '../resources/user.ts'
import { listAccounts } from './accounts.queries.ts'

interface Dependencies {
  db: Db
  requires: Requires
}

const Account = z
  .object({
    id: z.string().openapi({ example: 'b8ZkQ1vN4xR7mT0cW3yL6pJ9sD2fG5hA' }),
    providerId: z.string().openapi({ description: '`credential` for a password', example: 'google' }),
    accountId: z.string().openapi({ description: "The user's id at the provider", example: '109876543210987654321' }),
    scopes: z.array(z.string()).openapi({ example: ['openid', 'email'] }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    updatedAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
  })
  .openapi('Account')
const Accounts = z.object({ data: z.array(Account) })

const response = { description: 'The linked sign-in methods', content: { 'application/json': { schema: Accounts } } }

/** The linked sign-in methods: `/auth/accounts` and `/users/{id}/accounts`. */
export function accountsRoutes({ db, requires }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('account:read'),
        operationId: 'listMyAccounts',
        summary: 'How one can sign in',
        tags: ['Me'],
        method: 'get',
        path: '/auth/accounts',
        responses: { 200: response },
      }),
      async (c) => c.json({ data: await accountsOf(db, c.var.principal.subject) }, 200),
    )
    .openapi(
      createRoute({
        ...requires('users:read', { orSelf: true }),
        operationId: 'listUserAccounts',
        summary: 'How a user can sign in',
        tags: ['Users'],
        method: 'get',
        path: '/users/{id}/accounts',
        request: { params: UserPath },
        responses: { 200: response, ...problems('not-found', 'validation') },
      }),
      async (c) => {
        const userId = resolveId(c.req.valid('param').id, c.var.principal)
        if (!(await userExists(db, userId))) throw noSuchUser()
        return c.json({ data: await accountsOf(db, userId) }, 200)
      },
    )
}

async function accountsOf(db: Db, userId: string): Promise<z.infer<typeof Account>[]> {
  const rows = await listAccounts(db, userId)
  return rows.map(({ id, provider_id, account_id, scope, created_at, updated_at }) => ({
    id,
    providerId: provider_id,
    accountId: account_id,
    scopes: scope?.split(/[\s,]+/).filter(Boolean) ?? [],
    createdAt: created_at.toISOString(),
    updatedAt: updated_at.toISOString(),
  }))
}
