import type { BetterAuthOptions } from 'better-auth'
import type { Config } from '../config.ts'
import { Email, Image, imageFrom, Name, nameFrom } from '../resources/profile.ts'
import { refused } from './doors.ts'

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

function assertProfile({ name, email, image }: { name?: unknown; email?: unknown; image?: unknown }): void {
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

/** Google and GitHub, where they are configured. A sign-in never fails for a name or a picture that we would refuse. */
export function socialProviders({
  google,
  github,
  signUpOpen,
}: Config): NonNullable<BetterAuthOptions['socialProviders']> {
  const disableSignUp = !signUpOpen
  return {
    ...(google && {
      google: {
        ...google,
        disableSignUp,
        mapProfileToUser: ({ name, picture, email }) => fitProfile(name, email, picture),
      },
    }),
    ...(github && {
      github: {
        ...github,
        disableSignUp,
        mapProfileToUser: ({ name, login, avatar_url, email }) => fitProfile(name || login, email ?? '', avatar_url),
      },
    }),
  }
}

function fitProfile(name: unknown, email: string, picture: unknown) {
  // Better-Auth stores a null image, though its type for this callback does not say so.
  return { name: nameFrom(name, email), image: imageFrom(picture) as string }
}
