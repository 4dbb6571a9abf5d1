import { createRoute, z } from '@hono/zod-openapi'
import type { ActOnUser } from '../auth/act-on-user.ts'
import { findEmail } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import { covers } from '../auth/permissions.ts'
import { assertStillAuthorized, type Principal, userOf } from '../auth/principal.ts'
import type { Roles } from '../auth/roles.ts'
import type { UserAccounts } from '../auth/user-accounts.ts'
import type { Db } from '../db/database.ts'
import type { Cursors, Position } from '../http/cursor.ts'
import { jsonOnce } from '../http/json.ts'
import { cutPage, pageResponse } from '../http/page.ts'
import { invalid, ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Messages } from '../mail/messages.ts'
import { resolveId, UserPath } from '../resources/parameters.ts'
import { noSuchUser, toUser, User } from '../resources/user.ts'
import { positionOf } from './user-conditions.queries.ts'
import { shortWayFinder } from './user-ways.queries.ts'
import { deleteUser, findUser, setRole, updateUser } from './users.queries.ts'
import { ListUsers, NewUserBody, RoleBody, UserChangeBody } from './users.schemas.ts'
import { countUsers, listUsers } from './users-list.queries.ts'

interface Dependencies {
  db: Db
  requires: Requires
  roles: Roles
  cursors: Cursors
  actOnUser: ActOnUser
  userAccounts: UserAccounts
  mailer: Mailer
  messages: Messages
}

// Rows in memory are asked for again and again.
const answerUser = jsonOnce(toUser)

const userResponse = (description: string) => ({ description, content: { 'application/json': { schema: User } } })

/** `/auth/me`, `/users`, and the role of a user. */
export function usersRoutes({ db, requires, roles, cursors, actOnUser, userAccounts, mailer, messages }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('account:read'),
        operationId: 'getMe',
        summary: 'The user who asks',
        tags: ['Me'],
        method: 'get',
        path: '/auth/me',
        responses: { 200: userResponse('The user') },
      }),
      (c) => answerUser(c, userOf(c.get('authenticated'))),
    )
    .openapi(
      createRoute({
        ...requires('users:read'),
        operationId: 'listUsers',
        summary: 'List and search users',
        tags: ['Users'],
        method: 'get',
        path: '/users',
        request: { query: ListUsers },
        responses: {
          200: pageResponse('A page of users', User),
          ...problems('validation'),
        },
      }),
      async (c) => {
        const { limit, cursor, include, sort, ...filter } = c.req.valid('query')
        const query = { sort, ...filter }
        const after = cursor === undefined ? undefined : cursors.decode(cursor, query)
        const findWay = shortWayFinder(db, filter)
        const { rows, brokenOffAt } = await listUsers(db, filter, { sort, after, limit: limit + 1 }, findWay)
        const total = include === 'total' ? { total: await countUsers(db, filter, rows.length, findWay) } : {}
        const cursorAt = (position: Position) => cursors.encode(position, query)
        const { data, page } = cutPage(c, rows, limit, (last) => cursorAt(positionOf(last, sort)), {
          brokenOff: brokenOffAt && cursorAt(brokenOffAt),
        })
        return c.json({ data: data.map(toUser), page, ...total }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('users:write'),
        operationId: 'createUser',
        summary: 'Create a user, or invite one',
        description:
          'Without a password the user is sent a mail with a link to choose one. A role other than the default needs `users:role` too.',
        tags: ['Users'],
        method: 'post',
        path: '/users',
        request: { body: { required: true, content: { 'application/json': { schema: NewUserBody } } } },
        responses: {
          201: {
            ...userResponse('The user'),
            headers: z.object({
              location: z.string().openapi({ example: '/api/v1/users/k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa' }),
            }),
          },
          ...problems('conflict', 'validation', 'weak-password'),
        },
      }),
      async (c) => {
        const { password, role = 'user', ...user } = c.req.valid('json')
        if (role !== 'user') assertMayGrant(c.var.principal, roles, role)
        if (password === undefined && !mailer.canSend) throw noInvitation()
        const id = await userAccounts.create({ ...user, role, password }, (trx) =>
          assertStillAuthorized(trx, roles, c.var.authenticated),
        )
        c.header('location', `/api/v1/users/${id}`)
        return c.json(await getUser(db, id), 201)
      },
    )
    .openapi(
      createRoute({
        ...requires('users:read', { orSelf: true }),
        operationId: 'getUser',
        summary: 'One user',
        tags: ['Users'],
        method: 'get',
        path: '/users/{id}',
        request: { params: UserPath },
        responses: { 200: userResponse('The user'), ...problems('not-found', 'validation') },
      }),
      async (c) => c.json(await getUser(db, resolveId(c.req.valid('param').id, c.var.principal)), 200),
    )
    .openapi(
      createRoute({
        ...requires('users:write', { orSelf: true }),
        operationId: 'updateUser',
        summary: 'Change a user',
        description: 'One may change one’s own `name` and `image`; `email` and `emailVerified` need the permission.',
        tags: ['Users'],
        method: 'patch',
        path: '/users/{id}',
        request: {
          params: UserPath,
          body: { required: true, content: { 'application/json': { schema: UserChangeBody } } },
        },
        responses: { 200: userResponse('The changed user'), ...problems('not-found', 'conflict', 'validation') },
      }),
      async (c) => {
        const { principal } = c.var
        const id = resolveId(c.req.valid('param').id, principal)
        const change = c.req.valid('json')
        if (!principal.permissions.has('users:write')) assertOwnFields(change)
        const [before, user] = await actOnUser(
          c.var.authenticated,
          id,
          async (trx) => {
            const before = change.email === undefined ? undefined : await findEmail(trx, id)
            return [before, await updateUser(trx, id, change)] as const
          },
          // Another address ends what was mailed to the old one, as a reset does.
          { asOwner: isOwn(change), changesAuthority: change.email !== undefined },
        )
        if (before !== undefined && before !== user.email) {
          for (const message of messages.emailChanged(before, user.email)) mailer.send(message)
        }
        return c.json(toUser(user), 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('users:delete'),
        operationId: 'deleteUser',
        summary: 'Delete a user with everything of theirs',
        tags: ['Users'],
        method: 'delete',
        path: '/users/{id}',
        request: { params: UserPath },
        responses: {
          204: { description: 'Deleted' },
          ...problems('not-found', 'self-action', 'last-admin', 'validation'),
        },
      }),
      async (c) => {
        const { principal } = c.var
        const id = resolveId(c.req.valid('param').id, principal)
        if (id === principal.subject) throw new ProblemError('self-action', 'You cannot delete yourself here.')
        await actOnUser(c.var.authenticated, id, (trx) => deleteUser(trx, id))
        return c.body(null, 204)
      },
    )
    .openapi(
      createRoute({
        ...requires('users:role'),
        operationId: 'setUserRole',
        summary: 'Give a user a role',
        tags: ['Users'],
        method: 'put',
        path: '/users/{id}/role',
        request: { params: UserPath, body: { required: true, content: { 'application/json': { schema: RoleBody } } } },
        responses: { 200: userResponse('The changed user'), ...problems('not-found', 'last-admin', 'validation') },
      }),
      async (c) => {
        const { principal } = c.var
        const id = resolveId(c.req.valid('param').id, principal)
        const { role } = c.req.valid('json')
        assertMayGrant(principal, roles, role)
        return c.json(toUser(await actOnUser(c.var.authenticated, id, (trx) => setRole(trx, id, role))), 200)
      },
    )
}

async function getUser(db: Db, id: string): Promise<z.infer<typeof User>> {
  const user = await findUser(db, id)
  if (!user) throw noSuchUser()
  return toUser(user)
}

function assertMayGrant(principal: Principal, roles: Roles, role: string): void {
  if (!principal.permissions.has('users:role'))
    throw new ProblemError('forbidden', 'To give a role you need users:role.')
  if (!roles.names.includes(role))
    throw invalid({ pointer: '/role', detail: `is not one of: ${roles.names.join(', ')}` })
  if (!covers(principal.permissions, roles.scopesOf(role))) {
    throw new ProblemError('forbidden', 'This role has permissions that you do not have.')
  }
}

const fieldsOfAdmins = ['email', 'emailVerified']

/** Whether anybody may change this of themselves. */
function isOwn(change: object): boolean {
  return !fieldsOfAdmins.some((field) => field in change)
}

function assertOwnFields(change: object): void {
  for (const field of fieldsOfAdmins) {
    if (field in change) throw invalid({ pointer: `/${field}`, detail: 'is not known' })
  }
}

function noInvitation(): ProblemError {
  return invalid({ pointer: '/password', detail: 'is missing, and no invitation can be sent: mail is not configured' })
}
