import type { z } from '@hono/zod-openapi'
import type { Grant as GrantSchema } from '../resources/grant.ts'
import type { Session as SessionSchema } from '../resources/session.ts'
import type { User as UserSchema } from '../resources/user.ts'

export type User = z.infer<typeof UserSchema>
export type Session = z.infer<typeof SessionSchema>
export type Grant = z.infer<typeof GrantSchema>
/** A way to sign in, as `/api/v1` shows it. */
export interface Account {
  id: string
  providerId: string
  /** Who it is there. */
  accountId: string
  createdAt: string
}
