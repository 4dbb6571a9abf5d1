import type { Auth } from '../auth/auth.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

// Schemas of rows that hold secrets, and of tables that no caller ever sees.
const internalSchemas = /^(Jwks|Verification|Account|RateLimit|Oauth.*)$/

/**
 * Better-Auth's own document, made fit for ours: valid OpenAPI 3.1, an id for each operation, our server and cookie,
 * and no endpoint that is switched off.
 */
export async function buildAuthDocument(auth: Auth, baseUrl: string, cookieName: string): Promise<JsonObject> {
  const generated = modernised(JSON.parse(JSON.stringify(await auth.api.generateOpenAPISchema())) as Json) as JsonObject
  const disabled = new Set<string>(auth.options.disabledPaths)
  const paths = Object.entries(generated['paths'] as Record<string, JsonObject>).filter(([path]) => !disabled.has(path))
  const schemas = Object.entries((generated['components'] as JsonObject)['schemas'] as JsonObject)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Latchkey: sign-in',
      version: '1',
      description: 'Sign-up, sign-in, sessions, tokens. Errors are `{code, message}`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: `${baseUrl}/api/auth` }],
    security: [{ cookie: [] }],
    tags: [...new Set(paths.map(([path]) => tagOf(path)))].map((name) => ({ name })),
    paths: Object.fromEntries(paths.map(([path, item]) => [path, operations(path, item)])),
    components: {
      schemas: Object.fromEntries(schemas.filter(([name]) => !internalSchemas.test(name))),
      securitySchemes: { cookie: { type: 'apiKey', in: 'cookie', name: cookieName } },
    },
  }
}

function operations(path: string, item: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(item).map(([method, operation]) => {
      const { security: _, ...rest } = operation as JsonObject
      return [method, { ...rest, operationId: operationId(method, path), tags: [tagOf(path)] }]
    }),
  )
}

function operationId(method: string, path: string): string {
  const words = path.split(/[^a-z0-9]+/i).filter(Boolean)
  return [method, ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}

function tagOf(path: string): string {
  return path.startsWith('/admin/') ? 'Admin' : 'Sign-in'
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
