/** What was asked, and of which service. */
interface Asked {
  /** The origin that the service calls itself. */
  baseUrl: string
  /** From the root, with a query. */
  path: string
  method: string
}

// H-05, H-06: what every answer says, whoever gives it.
const constant: [name: string, value: RegExp][] = [
  ['x-content-type-options', /^nosniff$/],
  ['x-frame-options', /^DENY$/],
  // No other site is told anything.
  ['referrer-policy', /^(no-referrer|same-origin)$/],
  ['cross-origin-opener-policy', /^same-origin$/],
  ['cross-origin-resource-policy', /^same-origin$/],
  ['content-security-policy', /^default-src 'none'(;|$)/],
  ['content-security-policy', /(^|; ?)base-uri 'none'(;|$)/],
  ['content-security-policy', /(^|; ?)frame-ancestors 'none'(;|$)/],
  ['x-request-id', /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/],
  // I-06
  ['server', /^$/],
  ['x-powered-by', /^$/],
]

const yearOfHttps = /^max-age=31536000; includeSubDomains$/

// H-07: what is the same for everybody, and holds nothing of anybody.
const keptByAll = new Set([
  '/.well-known/oauth-authorization-server/api/auth',
  '/api/auth/.well-known/oauth-authorization-server',
  '/api/auth/.well-known/openid-configuration',
  '/api/auth/jwks',
  '/api/v1/docs/scalar.js',
  '/api/v1/openapi.json',
  '/api/v1/openapi-auth.json',
  '/assets/logo.svg',
  '/assets/pages.css',
  '/favicon.ico',
])

/**
 * Fails where an answer lacks a header that every answer has (H-05), may be kept by a cache where it is for one caller
 * (H-07), or refuses without saying what to do (H-08).
 * @throws Error with the header, for the test that got the answer
 */
export function assertHeaders(asked: Asked, { status, headers }: Response): void {
  const { pathname } = new URL(`${asked.baseUrl}${asked.path}`)
  const wanted = [
    ...constant,
    ['strict-transport-security', asked.baseUrl.startsWith('https:') ? yearOfHttps : /^$/] as const,
    ['cache-control', cacheControl(asked, pathname, status)] as const,
    ...adviceOf(pathname, status),
  ]
  const faults = wanted
    .filter(([names, value]) => !names.split(' or ').some((name) => value.test(headers.get(name) ?? '')))
    .map(([name]) => `${name}: ${headers.get(name) ?? '(none)'}`)
  if (faults.length > 0) throw new Error(`${asked.method} ${pathname} (${status}) says ${faults.join(', ')}`)
}

function cacheControl({ method }: Asked, pathname: string, status: number): RegExp {
  const isKept = status === 200 && (method === 'GET' || method === 'HEAD') && keptByAll.has(pathname)
  return isKept ? /^public, max-age=[1-9]\d*/ : /^no-store$/
}

/** What a refusal says besides that it is one. @see RFC 6750 section 3, RFC 9110 section 15 */
function adviceOf(pathname: string, status: number): typeof constant {
  switch (status) {
    case 401:
      return /^\/api\/(v1\/|auth\/oauth2\/userinfo$)/.test(pathname) ? [['www-authenticate', /^Bearer( |$)/]] : []
    case 405:
      return [['allow', /^[A-Z]+(, [A-Z]+)*$/]]
    case 415:
      return [['accept or accept-encoding', /^[\w/+-]+$/]]
    case 429:
    case 503:
      return [['retry-after', /^[1-9]\d*$/]]
    default:
      return []
  }
}
