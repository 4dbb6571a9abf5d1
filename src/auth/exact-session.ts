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
  const pairs = (headers.get('cookie') ?? '').split(';').map((pair) => pair.split(/=(.*)/s))
  const value = pairs.find(([key]) => key?.trim() === name)?.[1]?.trim()
  return value ? decoded(value) : undefined
}

// Which of two cookies with one name counts must not change.
function exactCookies(cookies: string, { name, open }: Pick<SessionCookies, 'name' | 'open'>): string {
  const pairs = cookies.split(';').map((pair) => {
    const at = pair.indexOf('=')
    const isSession = at > 0 && pair.slice(0, at).trim() === name
    return isSession && open(decoded(pair.slice(at + 1).trim())) === undefined ? `${name}=` : pair
  })
  return pairs.join(';')
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
