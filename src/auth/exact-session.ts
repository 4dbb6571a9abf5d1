import { decoded } from './secrets.ts'
import type { SessionCookies } from './session-cookie.ts'

/**
 * Blanks each session cookie, and takes away the bearer token, that is not a session token as we signed it: Better-Auth
 * takes every spelling that decodes to the same signature.
 */
export function keepExactSessions(headers: Headers, sessionCookies: Pick<SessionCookies, 'name' | 'open'>): void {
  const cookies = headers.get('cookie')
  if (cookies?.includes(sessionCookies.name)) headers.set('cookie', exactCookies(cookies, sessionCookies))
  const [, bearer] = /^bearer +(.*)$/i.exec(headers.get('authorization') ?? '') ?? []
  if (bearer !== undefined && sessionCookies.open(bearer) === undefined) headers.delete('authorization')
}

/**
 * The signed session token in headers that `keepExactSessions` has gone through, as Better-Auth reads them: a bearer token
 * comes before a cookie, and of two cookies the first one counts.
 */
export function exactSessionIn(headers: Headers, name: string): string | undefined {
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const pairs = (headers.get('cookie') ?? '').split(';')
  // A blank one counts, and is nobody's.
  return pairs.map((pair) => valueIn(pair, name)).find((value) => value !== undefined) || undefined
}

// Which of two cookies with one name counts must not change.
function exactCookies(cookies: string, { name, open }: Pick<SessionCookies, 'name' | 'open'>): string {
  const pairs = cookies.split(';').map((pair) => {
    const value = valueIn(pair, name)
    return value !== undefined && open(value) === undefined ? `${name}=` : pair
  })
  return pairs.join(';')
}

/** The value of the cookie of that name, if a pair of a Cookie header is it. */
function valueIn(pair: string, name: string): string | undefined {
  const at = pair.indexOf('=')
  return at > 0 && pair.slice(0, at).trim() === name ? decoded(pair.slice(at + 1).trim()) : undefined
}
