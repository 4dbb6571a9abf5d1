import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { authUrl, type Document, operationsOf, ownUrl } from '../support/document.ts'
import { startServiceForFile } from '../support/harness.ts'
import { clientOf, grantClient } from '../support/openapi.ts'
import { age } from '../support/session-age.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await grantClient(service, await service.createSignedIn('admin'))

/** Everything that is stored, by table. */
async function dump(): Promise<Record<string, unknown>> {
  const tables = await sql<{ name: string }>`select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE'`.execute(db)
  const dumped: Record<string, unknown> = {}
  for (const { name } of tables.rows) {
    const rows = await sql<{ row: string }>`select t::text as row from ${sql.table(name)} t order by 1`.execute(db)
    dumped[name] = rows.rows.map(({ row }) => row)
  }
  return dumped
}

/** Every GET that there is: of both documents, and of the pages. */
async function reads(): Promise<string[]> {
  const paths: string[] = []
  for (const url of [ownUrl, authUrl]) {
    const document = (await (await request(url)).json()) as Document
    const base = new URL(document.servers[0]?.url ?? '').pathname
    paths.push(...operationsOf(document).flatMap(({ method, path }) => (method === 'get' ? [base + path] : [])))
  }
  const app = await createApp(service.services, () => true)
  const served = app.routes.filter(({ method }) => method === 'GET').map(({ path }) => path)
  const all = [...paths, ...served.map((path) => path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}'))]
  return [...new Set(all)].filter((path) => !path.includes('*'))
}

const filled = (path: string) =>
  path
    .replace('/clients/{id}', `/clients/${clientOf(admin.id)}`)
    .replace('/callback/{id}', '/callback/github')
    .replace('{slug}', 'internal')
    .replace('{sid}', admin.sessionId)
    .replace('{clientId}', clientOf(admin.id))
    .replace('/admin/get-user', `/admin/get-user?id=${admin.id}`)
    .replace(/\{id\}/, admin.id)
    .replace(/\{\w+\}/, 'x')

const paths = await reads()

test('S-13 no GET changes anything, with the cookie of an admin', async () => {
  expect(paths.length).toBeGreaterThan(50)
  const before = await dump()
  expect(Object.keys(before).length).toBeGreaterThan(10)
  const statuses = new Map<string, number>()

  for (const path of paths) {
    const { status } = await request(filled(path), { cookie: admin.cookie, headers: { accept: 'text/html, */*' } })
    statuses.set(path, status)
    expect([path, await dump()]).toEqual([path, before])
  }

  expect([...statuses].filter(([, status]) => status >= 500)).toEqual([])
  // They were read, and not refused.
  expect([...statuses.values()].filter((status) => status === 200).length).toBeGreaterThan(paths.length / 2)
})

test('S-13 a read prolongs a session that is old, and changes nothing else', async () => {
  await age(service, admin, 2 * 86_400_000)
  const { session: old, ...before } = await dump()

  expect((await request('/api/v1/auth/me', { cookie: admin.cookie })).status).toBe(200)

  const { session, ...after } = await dump()
  expect(after).toEqual(before)
  expect(session).not.toEqual(old)
})
