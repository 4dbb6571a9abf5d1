import { createHash } from 'node:crypto'
import { Scalar } from '@scalar/hono-api-reference'
import { Hono } from 'hono'
import { referenceClientId, referenceReturnPath } from '../auth/oauth/first-party-clients.ts'
import type { Env } from '../http/exchange.ts'
import { createScalarAsset } from './scalar-asset.ts'

interface Dependencies {
  document: object
  authDocument: object
  baseUrl: string
}

const scriptPath = '/api/v1/docs/scalar.js'

/** The OpenAPI documents, served from memory, and Scalar on them, from our own origin. */
export async function referenceRoutes({ document, authDocument, baseUrl }: Dependencies) {
  const own = JSON.stringify(document)
  const auth = JSON.stringify(authDocument)
  const page = await renderPage(baseUrl)
  const asset = createScalarAsset()
  const json = { 'content-type': 'application/json', 'cache-control': 'public, max-age=60', vary: 'Origin' }
  const html = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': contentSecurityPolicy(page),
  }
  return new Hono<Env>()
    .get('/api/v1/openapi.json', (c) => c.body(own, 200, json))
    .get('/api/v1/openapi-auth.json', (c) => c.body(auth, 200, json))
    .get('/api/v1/docs', (c) => c.body(page, 200, html))
    .get(referenceReturnPath, (c) => c.html(returned, 200, { 'content-security-policy': nothingAllowed }))
    .get(scriptPath, async (c) => {
      const { plain, gzipped } = await asset()
      const compressed = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
      return c.body(new Uint8Array(compressed ? gzipped : plain), 200, {
        'content-type': 'text/javascript; charset=utf-8',
        'cache-control': 'public, max-age=3600',
        vary: 'Accept-Encoding',
        ...(compressed && { 'content-encoding': 'gzip' }),
      })
    })
}

/** Where a window ends in which somebody signed in for the reference: Scalar reads its address, and closes it. */
const returned = `<!doctype html>
<html lang="en">
  <head><title>Back to the reference</title></head>
  <body><p>Back to the reference. You may close this window.</p></body>
</html>
`
const nothingAllowed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const configuration = {
  pageTitle: 'Latchkey API',
  cdn: scriptPath,
  sources: [
    { url: '/api/v1/openapi.json', title: 'Management', slug: 'v1', default: true },
    { url: '/api/v1/openapi-auth.json', title: 'Sign-in', slug: 'auth' },
  ],
  // Each of these would otherwise load something from another origin.
  withDefaultFonts: false,
  proxyUrl: '',
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  showToolbar: 'never',
  hideClientButton: true,
} as const

/** How to try the API: as whoever is signed in here, or as an application would. */
function authentication(baseUrl: string) {
  // Without a choice of scopes it asks for all that the client may have.
  const authorizationCode = {
    'x-scalar-client-id': referenceClientId,
    'x-scalar-redirect-uri': `${baseUrl}${referenceReturnPath}`,
    'x-usePkce': 'SHA-256',
    // In a header an empty secret is refused, and the browser asks people for it.
    'x-scalar-credentials-location': 'body',
  } as const
  return {
    // Whoever is signed in need not paste anything; an empty bearer token would be refused.
    preferredSecurityScheme: 'cookie',
    securitySchemes: { oauth2: { flows: { authorizationCode } } },
  }
}

async function renderPage(baseUrl: string): Promise<string> {
  const sources = [...configuration.sources]
  const renderer = new Hono().get('/', Scalar({ ...configuration, sources, authentication: authentication(baseUrl) }))
  return (await renderer.request('/')).text()
}

/** Allows our own script and, by their hashes, the inline ones of the page, which is constant. */
function contentSecurityPolicy(page: string): string {
  const inline = [...page.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, source = '']) => `'sha256-${createHash('sha256').update(source).digest('base64')}'`,
  )
  return [
    "default-src 'none'",
    `script-src 'self' ${inline.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}
