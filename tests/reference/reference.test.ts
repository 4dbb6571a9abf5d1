import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { authUrl, loadDocuments, operationsOf, ownUrl, type Schema } from '../support/document.ts'
import { type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { grantClient, pathFor } from '../support/openapi.ts'

const service = await startServiceForFile()
const { own, auth, ajv, faultOf } = await loadDocuments(service)
const documents = { [ownUrl]: own, [authUrl]: auth }

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
    // What comes first is what Scalar tries, and whoever is signed in has a cookie.
    expect(schemes.indexOf('cookie')).toBeLessThan(1)
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
      await grantClient(service, user)
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
      const target = pathFor({ path }, user)
      const targets = requests.map((options) => [target, options] as const)
      const strange = pathFor({ path }, { id: 'no-such-user', sessionId: 'no-such-session' })
      targets.unshift(
        [strange, { ...good, token: admin.token }],
        [`${target}?surprise=1`, { ...good, token: admin.token }],
      )

      const statuses: number[] = []
      const faults: (string | undefined)[] = []
      for (const [url, options] of targets) {
        const response = await service.request(`/api/v1${url}`, { ...options, method: method.toUpperCase() })
        statuses.push(response.status)
        faults.push(await faultOf(response, ['own', path, method]))
      }
      expect(faults.filter(Boolean)).toEqual([])
      expect(statuses.filter((status) => status < 300)).not.toEqual([])
      expect(statuses).toContain(401)
    },
  )

  test.each(operationsOf(own))('$name says by which headers a problem is told', ({ operation: { responses } }) => {
    expect(responses['401']?.headers).toHaveProperty('WWW-Authenticate')
    for (const status of ['429', '503']) expect(responses[status]?.headers).toHaveProperty('Retry-After')
    for (const name of ['RateLimit', 'RateLimit-Policy']) expect(responses['429']?.headers).toHaveProperty(name)
  })

  test('shows no secret', () => {
    const answers = operationsOf(own).flatMap(({ operation }) => Object.values(operation.responses))
    const shown = JSON.stringify([
      answers,
      { ...own.components.schemas, NewUser: null, TokenToVerify: null, ClientWithSecret: null },
    ])
    expect(shown).not.toMatch(/"(password|token|hash|secret|privateKey|accessToken|refreshToken|idToken)":/i)
  })
})

/** The example of a schema, put together from those of its properties where it has none of its own. */
function exampleOf(schema: Schema): unknown {
  const { example, properties = {} } = schema.$ref
    ? (own.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
    : schema
  if (example !== undefined) return example
  const members = Object.entries(properties).filter(([, property]) => property.example !== undefined)
  return Object.fromEntries(members.map(([name, property]) => [name, property.example]))
}
