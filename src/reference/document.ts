import type { OpenAPIHono } from '@hono/zod-openapi'
import { accountScopes, permissions, scopeMeanings } from '../auth/permissions.ts'
import type { Env } from '../http/exchange.ts'
import { type ProblemSlug, problems } from '../http/problem.ts'

type Document = ReturnType<OpenAPIHono<Env>['getOpenAPI31Document']>
type Operation = { security?: object[]; responses?: Record<string, unknown> }

const methods = ['get', 'put', 'post', 'delete', 'patch'] as const

const description = `Manage users, roles, bans, sessions and linked accounts.

Send \`Authorization: Bearer <JWT>\` with a token from \`GET /api/auth/token\`, or the session cookie of a browser that is
signed in. Every error is a problem document (RFC 9457) whose \`type\` is the address of a page that explains it.`

const scopes = Object.fromEntries([...accountScopes, ...permissions].map((scope) => [scope, scopeMeanings[scope]]))

/** The OpenAPI 3.1 document of `/api/v1`, made once from the routes. */
export function buildDocument(router: OpenAPIHono<Env>, baseUrl: string, cookieName: string): Document {
  const registry = router.openAPIRegistry
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A session JWT from `GET /api/auth/token`.',
  })
  registry.registerComponent('securitySchemes', 'cookie', {
    type: 'apiKey',
    in: 'cookie',
    name: cookieName,
    description: 'The session cookie of a browser that is signed in. A change must come from a trusted origin.',
  })
  registry.registerComponent('securitySchemes', 'oauth2', {
    type: 'oauth2',
    description: 'What an application is given for a user, or a machine for itself.',
    flows: {
      authorizationCode: {
        authorizationUrl: `${baseUrl}/api/auth/oauth2/authorize`,
        tokenUrl: `${baseUrl}/api/auth/oauth2/token`,
        refreshUrl: `${baseUrl}/api/auth/oauth2/token`,
        scopes,
      },
      clientCredentials: { tokenUrl: `${baseUrl}/api/auth/oauth2/token`, scopes },
    },
  })
  const document = router.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Latchkey',
      version: '1',
      description,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: `${baseUrl}/api/v1` }],
    tags: [
      { name: 'Me', description: 'Whoever asks' },
      { name: 'Users', description: 'People who can sign in' },
      { name: 'Sessions', description: 'Where they are signed in' },
      { name: 'Clients', description: 'Applications that sign people in here, and machines' },
      { name: 'Grants', description: 'What applications may do for people' },
      { name: 'Audit', description: 'What was done, by whom' },
    ],
  })
  for (const path of Object.values(document.paths ?? {})) {
    for (const method of methods) {
      const operation = path[method] as Operation | undefined
      if (operation) addCommonProblems(operation)
    }
  }
  return document
}

const of401: ProblemSlug[] = ['unauthenticated', 'invalid-token', 'token-expired', 'session-ended', 'banned']

/** Lists what every operation may answer, so that no route has to repeat it. */
function addCommonProblems(operation: Operation): void {
  const common = problems(
    'malformed-request',
    ...of401,
    'forbidden',
    'insufficient-scope',
    'csrf',
    'payload-too-large',
    'unsupported-media-type',
    'rate-limited',
    'internal',
    'overloaded',
    'dependency-unavailable',
  )
  const schema = { $ref: '#/components/schemas/Problem' }
  for (const [status, { description: slugs }] of Object.entries(common)) {
    operation.responses = {
      ...operation.responses,
      [status]: { description: slugs, content: { 'application/problem+json': { schema } }, headers: headersOf(status) },
    }
  }
}

const challenge = {
  'WWW-Authenticate': {
    description: 'What credential is needed, or why this one is refused (RFC 6750)',
    schema: { type: 'string', example: 'Bearer error="invalid_token"' },
  },
}
const patience = {
  'Retry-After': { description: 'In how many seconds to try again', schema: { type: 'integer', example: 1 } },
}

// draft-ietf-httpapi-ratelimit-headers-10. On other answers only when less than a tenth is left.
const budget = {
  ...patience,
  RateLimit: {
    description: 'What is left of a limit, and the seconds until it begins anew',
    schema: { type: 'string', example: '"all";r=0;t=12' },
  },
  'RateLimit-Policy': {
    description: 'How much that is, and in how many seconds',
    schema: { type: 'string', example: '"all";q=6000;w=60' },
  },
}

const mediaType = {
  Accept: { description: 'What may be sent instead', schema: { type: 'string', example: 'application/json' } },
}

/** The headers that say what to do about a problem of this status. */
function headersOf(status: string): object {
  if (status === '401' || status === '403') return challenge
  if (status === '415') return mediaType
  if (status === '429') return budget
  return status === '503' ? patience : {}
}
