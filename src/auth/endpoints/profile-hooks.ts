import type { BetterAuthOptions } from 'better-auth'
import type { Config } from '../../config.ts'
import { Email, Image, imageFrom, Name, nameFrom, passwordFault } from '../../resources/profile.ts'
import { refused } from './guard.ts'

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
export function assertPassword(password: unknown): void {
  const fault = typeof password === 'string' ? passwordFault(password) : undefined
  if (fault) throw refused(fault.code, `The password ${fault.detail}`, 'BAD_REQUEST')
}

/** Google and GitHub, where they are configured. A sign-in never fails for a name or a picture that we would refuse. */
export function socialProviders(config: Config): NonNullable<BetterAuthOptions['socialProviders']> {
  const { google, github } = config
  const rules = signUpRules(config)
  return {
    ...(google && { google: { ...google, ...rules, mapProfileToUser: mapOpenIdProfile } }),
    ...(github && {
      github: {
        ...github,
        ...rules,
        mapProfileToUser: ({ name, login, avatar_url, email }) => fitProfile(name || login, email ?? '', avatar_url),
      },
    }),
  }
}

/** Whom a provider may bring. */
export function signUpRules({ signUpOpen, smtp }: Config) {
  // An address that the provider has not verified must be verified here before anybody is signed in with it.
  return { disableSignUp: !signUpOpen, requireEmailVerification: smtp !== undefined }
}

/** What is taken of the claims of a person. @see OpenID Connect Core 1.0 section 5.1 */
export function mapOpenIdProfile(claims: {
  name?: unknown
  email?: unknown
  picture?: unknown
  email_verified?: unknown
}) {
  const { data: email = null } = Email.safeParse(claims.email)
  return {
    ...fitProfile(claims.name, email ?? '', claims.picture),
    email,
    // Only a plain true: some providers write it as a text, in which `"false"` would count as true.
    emailVerified: claims.email_verified === true,
  }
}

function fitProfile(name: unknown, email: string, picture: unknown) {
  // Better-Auth stores a null image, though its type for this callback does not say so.
  return { name: nameFrom(name, email), image: imageFrom(picture) as string }
}
