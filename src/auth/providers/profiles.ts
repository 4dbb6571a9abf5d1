import type { BetterAuthOptions } from 'better-auth'
import type { Config } from '../../config.ts'
import { Email, imageFrom, nameFrom } from '../../resources/profile.ts'

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
        mapProfileToUser: ({ name, login, avatar_url, email }) => ({
          ...fitProfile(name || login, email ?? '', avatar_url),
          // Better-Auth looks for it in lower case, in which a Kelvin sign is a k.
          email: Email.safeParse(email).data ?? null,
        }),
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
