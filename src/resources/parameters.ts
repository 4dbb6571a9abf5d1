import { z } from '@hono/zod-openapi'
import type { Principal } from '../auth/principal.ts'

const id = z.string().regex(/^[\w-]{1,64}$/, 'is not an id')

/** The path of one user; `me` is whoever asks. */
export const UserPath = z.object({
  id: id.openapi({ param: { name: 'id', in: 'path' }, description: "A user's id, or `me`", example: 'me' }),
})

/** The path of one session of a user. */
export const SessionPath = UserPath.extend({
  sid: id.openapi({
    param: { name: 'sid', in: 'path' },
    description: "A session's id",
    example: 'p0LmX3vB7nQ9zK2cT5yR8wE1aS4dG6hJ',
  }),
})

/** The path of what one client may do for a user. */
export const GrantPath = UserPath.extend({
  clientId: id.openapi({
    param: { name: 'clientId', in: 'path' },
    description: "A client's id",
    example: 'Hn2bQx8kTq0vYw4mZr6sLA',
  }),
})

/** The id that a path means for this principal. */
export function resolveId(id: string, principal: Principal): string {
  return id === 'me' ? principal.subject : id
}
