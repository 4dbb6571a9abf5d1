import type { BetterAuthOptions } from 'better-auth'
import { type PasswordOwner, passwordFault } from '../../resources/password.ts'
import { Email, Image, Name } from '../../resources/profile.ts'
import { refused } from '../endpoint.ts'

/** Holds every user that Better-Auth writes to the rules of `/api/v1`. */
export const profileHooks = {
  user: {
    create: {
      before: (user) => {
        assertProfile(user)
        return Promise.resolve()
      },
    },
    update: {
      before: (user) => {
        assertProfile(user)
        return Promise.resolve()
      },
    },
  },
} satisfies BetterAuthOptions['databaseHooks']

/** @throws APIError for what `/api/v1` would refuse of a profile */
export function assertProfile({ name, email, image }: { name?: unknown; email?: unknown; image?: unknown }): void {
  if (name !== undefined && !Name.safeParse(name).success) {
    throw refused(
      'INVALID_NAME',
      'The name must have 1 to 200 characters, none of them a control character',
      'BAD_REQUEST',
    )
  }
  if (email !== undefined && !Email.safeParse(email).success) {
    throw refused('INVALID_EMAIL', 'This is not an e-mail address that can be used', 'BAD_REQUEST')
  }
  if (image !== undefined && image !== null && !Image.safeParse(image).success) {
    throw refused('INVALID_IMAGE', 'The image must be an https URL', 'BAD_REQUEST')
  }
}

/** @throws APIError for a password that nobody may choose */
export function assertPassword(password: unknown, owner: PasswordOwner = {}): void {
  const fault = typeof password === 'string' ? passwordFault(password, owner) : undefined
  if (fault) throw refused(fault.code, `The password ${fault.detail}`, 'BAD_REQUEST')
}
