import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'

const Ban = z.object({ reason: z.string().nullable(), expires: z.coerce.date().nullable() })

/** Why somebody is banned, and until when. */
export type Ban = z.infer<typeof Ban>

/** Hands a ban over to the page where a sign-in with a provider ends, which knows nobody. */
export interface BanNotices {
  cookieName: string
  /** The cookie for who has shown to be the user. */
  cookieFor: (ban: Ban) => Promise<string>
  /** What the value of the cookie says; undefined when it is not ours, or of long ago. */
  open: (value: string | undefined) => Promise<Ban | undefined>
}

const lifeSeconds = 300
const algorithm = 'HS256'

/** Notices signed with a key of their own. */
export function createBanNotices(key: Uint8Array, secure: boolean): BanNotices {
  const cookieName = `${secure ? '__Secure-' : ''}latchkey.ban`
  return {
    cookieName,
    async cookieFor({ reason, expires }) {
      const value = await new SignJWT({ reason, expires: expires?.toISOString() ?? null })
        .setProtectedHeader({ alg: algorithm })
        .setExpirationTime(`${lifeSeconds}s`)
        .sign(key)
      const attributes = `Max-Age=${lifeSeconds}; Path=/error; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
      return `${cookieName}=${value}; ${attributes}`
    },
    async open(value = '') {
      const verified = await jwtVerify(value, key, { algorithms: [algorithm], requiredClaims: ['exp'] }).catch(
        () => undefined,
      )
      return verified && Ban.parse(verified.payload)
    },
  }
}
