import type { Auth } from '../auth/auth.ts'
import { type Json, type JsonObject, json, successes } from './auth-successes.ts'
import { oauthPaths, oauthSchemes } from './oauth-paths.ts'

// Schemas of rows that hold secrets, and of tables that no caller ever sees.
const internalSchemas = /^(Jwks|Verification|Account|RateLimit|Oauth.*)$/

// What the plugins offer but these settings refuse: the address is changed by an admin, a session has no fields of its
// own, a session is read with GET, and no GET confirms an address.
const refused = new Set(['/update-session post', '/get-session post', '/verify-email get'])

// Whoever is about to sign in, or follows a mailed link, has no session yet.
const open =
  /^\/(sign-in|sign-up|callback|request-password-reset|reset-password|verify-email|send-verification-email)\b/
const openReads = new Set(['/get-session', '/jwks', '/ok', '/error'])

const summaries: Record<string, string> = {
  '/callback/{id}': 'Return from a social provider',
  '/admin/stop-impersonating': 'Return to one’s own session',
  '/delete-user': 'Delete one’s own account',
  '/error': 'The page of a failed sign-in',
  '/list-sessions': 'One’s live sessions, 1,000 at most, each with its id as `token`',
  '/admin/list-user-sessions': 'The sessions of a user, 1,000 at most, each with its id as `token`',
  '/jwks': 'The public keys that verify a token',
  '/token': 'A JWT of the current session',
}

// Here no mail is sent to delete an account, and a password is needed wherever there is one.
const requestBodies: Record<string, JsonObject> = {
  '/delete-user': json({
    password: {
      type: 'string',
      description:
        'Needed for an account that has one, however fresh the session. For one without, the session must be less than 15 minutes old.',
    },
  }),
}

const conflict = { 409: { description: 'There must always be an active admin.' } }
// These hash or check a password.
const hashing = new Set([
  '/sign-in/email',
  '/sign-up/email',
  '/change-password',
  '/reset-password',
  '/change-email',
  '/delete-user',
  '/admin/create-user',
])

const retryAfter = {
  'Retry-After': { description: 'In how many seconds to try again', schema: { type: 'integer', example: 1 } },
}

function anyFailure(path: string): JsonObject {
  const outage = 'The database did not answer in time. Nothing was changed.'
  const overload = ' `OVERLOADED`: there are more passwords to check than can be right now.'
  return {
    422: { description: 'A text holds a character that cannot be stored, such as NUL.' },
    503: { description: hashing.has(path) ? outage + overload : outage, headers: retryAfter },
  }
}
const bodyFailures = {
  413: { description: 'The body is larger than 64 KiB.' },
  415: { description: 'The body must be JSON.' },
}

/**
 * Better-Auth's own document, made fit for ours: valid OpenAPI 3.1, an id, a summary and the credentials of each
 * operation, our server and cookie, and no endpoint that is switched off.
 */
export async function buildAuthDocument(auth: Auth, baseUrl: string, cookieName: string): Promise<JsonObject> {
  const generated = modernised(JSON.parse(JSON.stringify(await auth.api.generateOpenAPISchema())) as Json) as JsonObject
  const disabled = new Set<string>(auth.options.disabledPaths)
  if (auth.options.emailAndPassword.disableSignUp) disabled.add('/sign-up/email')
  const paths = Object.entries(generated['paths'] as Record<string, JsonObject>)
    .filter(([path]) => !disabled.has(path) && !path.startsWith('/oauth2/'))
    .map(([path, item]) => [path, operations(path, item)] as const)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Latchkey: sign-in',
      version: '1',
      description:
        'Sign-up, sign-in, sessions, tokens. Errors are `{code, message}`; of OAuth `{error, error_description}`.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: `${baseUrl}/api/auth` }],
    tags: [
      { name: 'Sign-in', description: 'One’s own account, sessions and tokens' },
      {
        name: 'OAuth',
        description:
          'For applications that sign people in here (OAuth 2.1, OpenID Connect). Their issuer is the address of this server; all else is in its `.well-known/openid-configuration`.',
      },
      { name: 'Admin', description: 'Other people’s, as the library’s admin client calls them' },
    ],
    paths: { ...Object.fromEntries(paths.filter(([, item]) => Object.keys(item).length > 0)), ...oauthPaths },
    components: {
      schemas: {
        ...publicSchemas((generated['components'] as JsonObject)['schemas'] as JsonObject),
        Error: errorSchema,
      },
      securitySchemes: {
        ...oauthSchemes,
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: cookieName,
          description: 'The session cookie of a browser that is signed in. A change must come from a trusted origin.',
        },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'The signed session token in the `set-auth-token` header of a sign-in. A JWT is not accepted here.',
        },
      },
    },
  }
}

const errorSchema = {
  type: 'object',
  properties: {
    code: { type: 'string', example: 'INVALID_EMAIL_OR_PASSWORD' },
    message: { type: 'string', example: 'Invalid email or password' },
  },
  required: ['code', 'message'],
}

function publicSchemas(schemas: JsonObject): JsonObject {
  const { Session: session, ...others } = schemas as Record<string, RowSchema>
  const { notAfter: _, ...properties } = session?.properties ?? {}
  return Object.fromEntries(
    Object.entries({ ...others, Session: { ...session, properties } })
      .filter(([name]) => !internalSchemas.test(name))
      .map(([name, schema]) => [name, withNulls(schema)]),
  )
}

type RowSchema = { properties: Record<string, JsonObject>; required?: string[] }

/** What a row need not have comes as null, which Better-Auth does not say. */
function withNulls({ properties, required = [], ...schema }: Partial<RowSchema>): JsonObject {
  const typed = Object.entries(properties ?? {}).map(([name, property]) => [
    name,
    required.includes(name) ? property : { ...property, type: [property['type'] ?? 'string', 'null'] },
  ])
  return { ...schema, properties: Object.fromEntries(typed) as JsonObject, required }
}

function operations(path: string, item: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(item)
      .filter(([method]) => !refused.has(`${path} ${method}`))
      .map(([method, operation]) => [method, completed(method, path, operation as JsonObject)]),
  )
}

function completed(method: string, path: string, { description, ...operation }: JsonObject): JsonObject {
  const isAdmin = path.startsWith('/admin/')
  const isOpen = open.test(path) || openReads.has(path)
  return {
    ...operation,
    ...(requestBodies[path] && { requestBody: requestBodies[path] }),
    operationId: operationId(method, path),
    summary:
      summaries[path] ?? (typeof description === 'string' ? description.replace(/\.$/, '') : words(path).join(' ')),
    tags: [isAdmin ? 'Admin' : 'Sign-in'],
    security: isOpen ? [] : [{ cookie: [] }, { bearer: [] }],
    responses: Object.fromEntries(
      Object.entries({
        ...(operation['responses'] as JsonObject),
        ...successes[path],
        ...((isAdmin || path === '/delete-user') && conflict),
        ...(method === 'post' && bodyFailures),
        ...anyFailure(path),
      }).map(([status, response]) => [
        status,
        Number(status) < 400 ? response : withErrorSchema(response as JsonObject),
      ]),
    ),
  }
}

function withErrorSchema({ description, headers }: JsonObject): JsonObject {
  const schema = { $ref: '#/components/schemas/Error' }
  return { description: description ?? '', ...(headers && { headers }), content: { 'application/json': { schema } } }
}

function operationId(method: string, path: string): string {
  return [method, ...words(path).map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}

function words(path: string): string[] {
  return path.split(/[^a-z0-9]+/i).filter(Boolean)
}

/** Turns the `nullable` of OpenAPI 3.0 into the type arrays of 3.1, all the way down. */
function modernised(value: Json): Json {
  if (Array.isArray(value)) return value.map(modernised)
  if (value === null || typeof value !== 'object') return value
  const { nullable, ...rest } = value
  const object = Object.fromEntries(Object.entries(rest).map(([key, member]) => [key, modernised(member)]))
  if (nullable === true && typeof object['type'] === 'string') object['type'] = [object['type'], 'null']
  return object
}
