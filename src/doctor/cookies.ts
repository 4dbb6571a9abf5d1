import { cookiePrefix } from '../auth/session-cookie.ts'
import { ask } from './ask.ts'
import { type Finding, findingsOf } from './finding.ts'

/** How cookies arrive from the public URL, by what a sign-out of nobody sets. @see RFC 6265bis section 4.1 */
export async function cookieFinding(baseUrl: string): Promise<Finding> {
  const { ok, warning, problem } = findingsOf('cookies')
  const { status, headers } = await ask(`${baseUrl}/api/auth/sign-out`, {
    method: 'POST',
    headers: { origin: baseUrl, 'content-length': 0 },
  })
  if (status !== 200) {
    return warning(`cookies could not be looked at: a sign-out is answered with ${status}`, 'Try again in a minute')
  }
  const cookie = headers['set-cookie']?.find((text) => /^[^=;]*session_token=/.test(text))
  if (cookie === undefined) return problem('no cookie arrives', 'Let the proxy pass Set-Cookie on')
  const faults = faultsOf(cookie, baseUrl.startsWith('https:'))
  if (faults.length === 0) return ok(`the session cookie is ${cookie.split('=')[0]}, HttpOnly and SameSite`)
  return problem(`the session cookie arrives ${faults.join(', ')}`, 'Let the proxy pass Set-Cookie on as it is')
}

function faultsOf(cookie: string, isHttps: boolean): string[] {
  const [pair = '', ...parts] = cookie.split(';').map((part) => part.trim())
  const attributes = new Map(
    parts.map((part) => part.toLowerCase().split('=') as [string, string?]).map(([name, value = '']) => [name, value]),
  )
  return [
    ...(attributes.has('httponly') ? [] : ['without HttpOnly']),
    ...(/^(lax|strict)$/.test(attributes.get('samesite') ?? '') ? [] : ['without SameSite']),
    ...(attributes.get('path') === '/' ? [] : ['for another path than /']),
    ...(attributes.has('domain') ? ['for other hosts too (Domain)'] : []),
    ...(isHttps && !attributes.has('secure') ? ['without Secure'] : []),
    ...(pair.startsWith(`${cookiePrefix(isHttps)}.`) ? [] : [`under a name without ${cookiePrefix(isHttps)}`]),
  ]
}
