import { createResigner, type Secrets, signatureOf, signedText } from './secrets.ts'

interface SessionCookieOptions {
  secrets: Secrets
  secure: boolean
  idleMs: number
}

/** Reads the session cookie of Better-Auth without asking Better-Auth. */
export interface SessionCookies {
  name: string
  /** The session token in a cookie's value; undefined when we did not sign it. */
  open: (value: string) => string | undefined
  /** Whether a session that ends so was last prolonged a day ago or more. */
  isOld: (expiresAt: Date) => boolean
  /** Whether a session is to be prolonged now: it is old, and its absolute end allows it. */
  isDue: (session: {
    session_expires_at: Date | null
    session_not_after: Date | null
    session_created_at: Date | null
  }) => boolean
  /** When a session that is used now ends, unless its absolute end comes first. */
  slideTo: () => Date
  /** The same session in a cookie of the current secret, with its life in the browser begun anew. */
  renew: (value: string) => string
  /** Has Better-Auth take what a former secret has signed, in the headers that it is given. */
  resign: (headers: Headers) => void
}

/** How long after a sign-in a session counts as that of its owner where no password is asked for, in seconds. */
export const freshSeconds = 900

const slideEveryMs = 24 * 3_600_000
const shortestSlidingMs = 2 * slideEveryMs

/**
 * What the names of Better-Auth's cookies begin with. Over https no other host can set one of them.
 * @see RFC 6265bis section 4.1.3.2
 */
export function cookiePrefix(secure: boolean): string {
  return `${secure ? '__Host-' : ''}better-auth`
}

/** Cookies `token.signature`, HMAC-SHA256 with a secret of the service: the format of better-call's signed cookies. */
export function createSessionCookies({ secrets, secure, idleMs }: SessionCookieOptions): SessionCookies {
  const name = `${cookiePrefix(secure)}.session_token`
  const isOld = (expiresAt: Date) => expiresAt.getTime() - Date.now() <= idleMs - slideEveryMs
  return {
    name,
    isOld,
    open: (value) => signedText(secrets.all, value),
    resign: createResigner(secrets),
    isDue({ session_expires_at: expires, session_not_after: end, session_created_at: created }) {
      // Impersonated and unremembered sessions end within a day or an hour and do not slide.
      if (!expires || !end || !created || end.getTime() - created.getTime() < shortestSlidingMs) return false
      return isOld(expires) && expires < end
    },
    slideTo: () => new Date(Date.now() + idleMs),
    renew(value) {
      const attributes = `Max-Age=${idleMs / 1_000}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
      const token = value.slice(0, value.lastIndexOf('.'))
      return `${name}=${encodeURIComponent(`${token}.${signatureOf(secrets.current, token)}`)}; ${attributes}`
    },
  }
}
