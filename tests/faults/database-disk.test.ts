import { randomUUID } from 'node:crypto'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { bearing, post, signIn, signUp, statusAt } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { password, secret } from '../support/harness.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { canMount, mountMemory } from '../support/small-disk.ts'
import { freePort, ordinaryUser, startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const server = await startPostgres()
afterAll(() => server.stop())
const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password }

/** A database whose tables are in a folder, as those of a server whose disk this is would be. */
async function makeDatabase(folder: string): Promise<void> {
  const space = join(folder, 'space')
  mkdirSync(space)
  const user = ordinaryUser()
  if (user) chownSync(space, user.uid, user.gid)
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(`create tablespace small location '${space}'`)
  await client.query('create database small tablespace small')
  await client.end()
}

async function startService() {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const service = startProcess(root, {
    DATABASE_URL: new URL('/small', server.url).href,
    BETTER_AUTH_SECRET: secret,
    PORT: String(port),
    BETTER_AUTH_URL: url,
    RATE_LIMIT: '0',
    ...admin,
  })
  await service.ready()
  return { service, url }
}

test.skipIf(!canMount)(
  'R-26 PostgreSQL on a full disk: writes are refused with 503, reads go on, and writes once there is room (needs mount)',
  async () => {
    const disk = mountMemory('96m')
    await makeDatabase(disk.folder)
    const { service, url } = await startService()
    const someone = await signIn(url, admin.ADMIN_EMAIL)
    const create = async () => {
      const json = { email: `${randomUUID()}@example.com`, name: 'x'.repeat(200) }
      const response = await post(`${url}/api/v1/users`, json, bearing(someone).headers)
      await response.arrayBuffer()
      return response.status
    }
    expect(await create()).toBe(201)

    disk.fill()
    const statuses: number[] = []
    for (let i = 0; i < 3_000 && statuses.filter((status) => status === 503).length < 20; i++)
      statuses.push(await create())
    expect([...new Set(statuses)].toSorted()).toEqual([201, 503])
    for (const path of ['/api/v1/users?limit=5', '/api/v1/auth/me', '/health/db'])
      expect([path, await statusAt(`${url}${path}`, bearing(someone))]).toEqual([path, 200])

    disk.free()
    expect(await create()).toBe(201)
    await signUp(url)
    const made = statuses.filter((status) => status === 201).length
    const client = new pg.Client(new URL('/small', server.url).href)
    await client.connect()
    // All that was acknowledged and nothing else: the admin, one before, one after, and who signed up.
    const { rows } = await client.query<{ n: number }>('select count(*)::int as n from "user"')
    await client.end()
    expect(rows).toEqual([{ n: made + 4 }])
    tellFigures('R-26', { madeUntilFull: made, refused: statuses.length - made })
    service.kill('SIGINT')
    expect(await service.exited).toEqual({ code: 0, signal: null })
  },
)
