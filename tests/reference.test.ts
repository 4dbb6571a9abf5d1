import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { type RequestOptions, startServiceForFile } from './harness.ts'

interface Schema {
  $ref?: string
  example?: unknown
  properties?: Record<string, Schema>
}
type Content = Record<string, { schema: Schema }>
interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  security?: object[]
  parameters?: { in: string; name: string; schema: Schema }[]
  requestBody?: { content: Content }
  responses: Record<string, { description: string; content?: Content }>
}
interface Document {
  openapi: string
  tags: { name: string; description?: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; securitySchemes: object }
}

const service = await startServiceForFile()
const ownUrl = '/api/v1/openapi.json'
const authUrl = '/api/v1/openapi-auth.json'
const documents = { [ownUrl]: await load(ownUrl), [authUrl]: await load(authUrl) }
const own = documents[ownUrl] as Document
const auth = documents[authUrl] as Document

const ajv = new Ajv2020({ strict: false, allErrors: true })
ajv.addFormat('date-time', (text) => text.endsWith('Z') && !Number.isNaN(Date.parse(text)))
ajv.addFormat('email', /^[^@\s]+@[^@\s]+$/)
ajv.addFormat('uri', (text) => URL.canParse(text))
ajv.addSchema(own, 'own')
ajv.addSchema(auth, 'auth')

async function load(path: string): Promise<Document> {
  return (await (await service.request(path)).json()) as Document
}

function operationsOf(document: Document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method,
      path,
      operation,
    })),
  )
}

describe.each(Object.entries(documents))('%s', (url, document) => {
  test('is OpenAPI 3.1 and the same bytes each time', async () => {
    const [first, second] = await Promise.all([service.request(url), service.request(url)])

    expect(document.openapi).toMatch(/^3\.1\./)
    expect(first.headers.get('content-type')).toBe('application/json')
    expect(await first.text()).toBe(await second.text())
  })

  test.each(operationsOf(document))('$name has an id, a summary, a known tag and its credentials', ({ operation }) => {
    expect(operation.operationId).toMatch(/^[a-z][A-Za-z]+$/)
    expect(operation.summary).toMatch(/^\S.*[^.\s]$/)
    expect(operation.tags).toHaveLength(1)
    expect(document.tags.map(({ name }) => name)).toContain(operation.tags?.[0])
    expect(operation.security).toBeInstanceOf(Array)
    const schemes = (operation.security ?? []).flatMap((scheme) => Object.keys(scheme))
    expect(Object.keys(document.components.securitySchemes)).toEqual(expect.arrayContaining(schemes))
  })

  test('gives each operation an id of its own', () => {
    const ids = operationsOf(document).map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('is without fault to Redocly', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-openapi-'))
    try {
      writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document))
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [
          'node_modules/@redocly/cli/bin/cli.js',
          'lint',
          '--format',
          'json',
          '--config',
          'redocly.yaml',
          join(folder, 'openapi.json'),
        ],
        { env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
      ).catch((error: { stdout: string; stderr: string }) => error)
      expect(JSON.parse(stdout || stderr)).toMatchObject({ totals: { errors: 0, warnings: 0 }, problems: [] })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('has examples that fit their schemas', () => {
    const schemas = withExamples(document)
    const misfits = schemas.filter(({ example, ...schema }) => !ajv.validate(schema, example))
    expect(schemas.length).toBeGreaterThan(0)
    expect(misfits).toEqual([])
  })

  test('uses no keyword of OpenAPI 3.0', () => {
    expect(JSON.stringify(document)).not.toContain('"nullable"')
  })
})

/** Every schema with an example of its own. Those that refer to others are left to Redocly, which follows references. */
function withExamples(value: unknown): Schema[] {
  if (Array.isArray(value)) return value.flatMap(withExamples)
  if (value === null || typeof value !== 'object') return []
  const isSchema = 'example' in value && ('type' in value || 'enum' in value) && !JSON.stringify(value).includes('$ref')
  return [...(isSchema ? [value as Schema] : []), ...Object.values(value).flatMap(withExamples)]
}

describe('the document of /api/v1', () => {
  test.each(operationsOf(own))(
    '$name lists every status and the shape of every answer',
    async ({ method, path, operation }) => {
      const [admin, user] = [await service.createSignedIn('admin'), await service.createSignedIn()]
      const body = operation.requestBody?.content['application/json']?.schema
      const good = body && { json: exampleOf(body) }
      const requests: RequestOptions[] = [
        { ...good },
        { ...good, token: 'nonsense' },
        { ...good, token: user.token },
        { ...good, cookie: admin.cookie, headers: { origin: 'https://elsewhere.example' } },
        ...(body
          ? [
              { token: admin.token, json: { surprise: 1 } },
              { token: admin.token, body: '{', headers: { 'content-type': 'application/json' } },
              { token: admin.token, body: 'text', headers: { 'content-type': 'text/plain' } },
              { token: admin.token, json: { name: 'x'.repeat(70_000) } },
            ]
          : []),
        { ...good, token: admin.token },
      ]
      const target = path.replace('{id}', user.id).replace('{sid}', user.sessionId)
      const targets = requests.map((options) => [target, options] as const)
      const strange = path.replace('{id}', 'no-such-user').replace('{sid}', 'no-such-session')
      targets.unshift(
        [strange, { ...good, token: admin.token }],
        [`${target}?surprise=1`, { ...good, token: admin.token }],
      )

      const statuses: number[] = []
      const faults: (string | undefined)[] = []
      for (const [url, options] of targets) {
        const response = await service.request(`/api/v1${url}`, { ...options, method: method.toUpperCase() })
        statuses.push(response.status)
        faults.push(await faultOf(response, `own#/paths/${escaped(path)}/${method}`, operation))
      }
      expect(faults.filter(Boolean)).toEqual([])
      expect(statuses.filter((status) => status < 300)).not.toEqual([])
      expect(statuses).toContain(401)
    },
  )

  test('shows no secret', () => {
    const answers = operationsOf(own).flatMap(({ operation }) => Object.values(operation.responses))
    const shown = JSON.stringify([answers, { ...own.components.schemas, NewUser: null, TokenToVerify: null }])
    expect(shown).not.toMatch(/"(password|token|hash|secret|privateKey|accessToken|refreshToken|idToken)":/i)
  })
})

/** How an answer differs from what its operation documents. */
async function faultOf(response: Response, pointer: string, operation: Operation): Promise<string | undefined> {
  const { status } = response
  const documented = operation.responses[String(status)]
  if (!documented) return `${status} is not listed`
  const mediaType = Object.keys(documented.content ?? {})[0] ?? null
  if (response.headers.get('content-type') !== mediaType) return `${status} is not ${mediaType}`
  if (mediaType === null) return undefined
  const body: unknown = await response.json()
  const schema = { $ref: `${pointer}/responses/${status}/content/${escaped(mediaType)}/schema` }
  return ajv.validate(schema, body) ? undefined : `${status} ${JSON.stringify(body)}: ${ajv.errorsText()}`
}

function escaped(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'))
}

/** The example of a schema, put together from those of its properties where it has none of its own. */
function exampleOf(schema: Schema): unknown {
  const { example, properties = {} } = schema.$ref
    ? (own.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
    : schema
  if (example !== undefined) return example
  const members = Object.entries(properties).filter(([, property]) => property.example !== undefined)
  return Object.fromEntries(members.map(([name, property]) => [name, property.example]))
}

describe('the document of /api/auth', () => {
  test.each(operationsOf(auth))('$name is switched on', async ({ method, path }) => {
    const { cookie } = await service.createSignedIn('admin')
    const url = `/api/auth${path.replace(/\{\w+\}/, 'nothing')}`
    const response = await service.request(url, {
      method: method.toUpperCase(),
      cookie,
      ...(method === 'post' && { json: {} }),
    })
    expect(response.status).not.toBe(404)
    expect(response.status).not.toBe(405)
  })

  test('has none of the endpoints that are switched off', () => {
    const off = ['/change-email', '/update-session', ...service.services.auth.options.disabledPaths]
    expect(Object.keys(auth.paths).filter((path) => off.includes(path))).toEqual([])
    expect(auth.paths['/get-session']).not.toHaveProperty('post')
  })

  test('has no sign-up where that is closed', async () => {
    const closed = await startServiceForFile({ env: { SIGN_UP: 'closed' } })
    const document = (await (await closed.request(authUrl)).json()) as Document
    expect(document.paths).not.toHaveProperty('/sign-up/email')
  })

  test('describes no row that holds a secret', () => {
    expect(Object.keys(auth.components.schemas).toSorted()).toEqual(['Error', 'Session', 'User'])
    expect(JSON.stringify(auth.components.schemas)).not.toMatch(
      /"(password|hash|secret|privateKey|accessToken|refreshToken|idToken)":/i,
    )
  })
})
