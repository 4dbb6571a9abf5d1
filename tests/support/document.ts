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
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ajv.addFormat('date-time', (text) => text.endsWith('Z') && !Number.isNaN(Date.parse(text)))
  ajv.addFormat('email', /^[^@\s]+@[^@\s]+$/)
  ajv.addFormat('uri', (text) => URL.canParse(text))
  ajv.addSchema(own, 'own')
  ajv.addSchema(auth, 'auth')

  /** How an answer differs from what its operation documents. */
  async function faultOf(
    response: Response,
    [document, path, method]: ['own' | 'auth', string, string],
  ): Promise<string | undefined> {
    const { status } = response
    const documented = { own, auth }[document].paths[path]?.[method]?.responses[String(status)]
    if (!documented) return `${status} is not listed`
    const mediaType = Object.keys(documented.content ?? {})[0] ?? null
    if (response.headers.get('content-type') !== mediaType) return `${status} is not ${mediaType}`
    if (mediaType === null) return undefined
    const body: unknown = await response.json()
    const at = [path, method, 'responses', String(status), 'content', mediaType, 'schema'].map(escaped).join('/')
    if (ajv.validate({ $ref: `${document}#/paths/${at}` }, body)) return undefined
    return `${status} ${ajv.errorsText().slice(0, 500)}: ${JSON.stringify(body).slice(0, 500)}`
  }

  return { own, auth, ajv, faultOf }
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
