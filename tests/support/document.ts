import { Ajv2020 } from 'ajv/dist/2020.js'
import type { TestService } from './harness.ts'

export interface Schema {
  $ref?: string
  example?: unknown
  properties?: Record<string, Schema>
}
export type Content = Record<string, { schema: Schema }>
interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  security?: object[]
  parameters?: { in: string; name: string; schema: Schema }[]
  requestBody?: { content: Content }
  responses: Record<string, { description: string; content?: Content; headers?: object }>
}
export interface Document {
  openapi: string
  servers: { url: string }[]
  tags: { name: string; description?: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; securitySchemes: object }
}

export const ownUrl = '/api/v1/openapi.json'
export const authUrl = '/api/v1/openapi-auth.json'

/** The documents that a service serves, and what an answer of it must be like. */
export async function loadDocuments({ request }: Pick<TestService, 'request'>) {
  const load = async (path: string) => (await (await request(path)).json()) as Document
  const [own, auth] = [await load(ownUrl), await load(authUrl)]
  return { own, auth, ...createChecker({ own: closed(own), auth: closed(auth) }) }
}

/** Tells how an answer differs from what its operation documents. */
export function createChecker<Name extends string>(documents: Record<Name, Document>) {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ajv.addFormat('date-time', (text) => text.endsWith('Z') && !Number.isNaN(Date.parse(text)))
  ajv.addFormat('email', /^[^@\s]+@[^@\s]+$/)
  ajv.addFormat('uri', (text) => URL.canParse(text))
  for (const [name, document] of Object.entries<Document>(documents)) ajv.addSchema(document, name)

  /** How an answer differs from what its operation documents. */
  async function faultOf(
    response: Response,
    [document, path, method]: [Name, string, string],
  ): Promise<string | undefined> {
    const { status } = response
    // What never became a request no operation has answered.
    if (status === 431) return undefined
    const documented = documents[document].paths[path]?.[method]?.responses[String(status)]
    if (!documented) return `${status} is not listed`
    const mediaType = Object.keys(documented.content ?? {})[0] ?? null
    if (response.headers.get('content-type') !== mediaType) return `${status} is not ${mediaType}`
    if (mediaType === null) return undefined
    const body: unknown = await response.json()
    const at = [path, method, 'responses', String(status), 'content', mediaType, 'schema'].map(escaped).join('/')
    const validate = ajv.getSchema(`${document}#/paths/${at}`)
    if (!validate) return `${status} has no schema`
    if (validate(body)) return undefined
    return `${status} ${ajv.errorsText(validate.errors).slice(0, 500)}: ${JSON.stringify(body).slice(0, 500)}`
  }

  return { ajv, faultOf }
}

/** A document whose objects have the members that it names and no others, as an answer should. */
export function closed(document: Document): Document {
  const { schemas } = document.components
  const named = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, membersClosed(schema)]))
  return { ...closedValue(document), components: { ...document.components, schemas: named } }
}

// Where it is used, not where it is named: a schema may be a part of another.
function closedValue<T>(value: T): T {
  if (Array.isArray(value)) return value.map(closedValue) as T
  if (typeof value !== 'object' || value === null) return value
  const isObject = ['$ref', 'properties', 'allOf'].some((name) => name in value)
  return { ...membersClosed(value), ...(isObject && { unevaluatedProperties: false }) }
}

function membersClosed<T extends object>(value: T): T {
  const closedMember = (name: string, member: unknown) =>
    name === 'allOf' && Array.isArray(member) ? member.map(membersClosed) : closedValue(member)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closedMember(name, member)])) as T
}

function escaped(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'))
}

/** Every operation of a document. */
export function operationsOf(document: Document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method,
      path,
      operation,
    })),
  )
}
