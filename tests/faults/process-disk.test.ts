import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { bearing, post, signIn, signUp, statusAt } from '../support/callers.ts'
import { password } from '../support/harness.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { canMount, mountMemory } from '../support/small-disk.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password }

async function start(folder: string) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const service = startProcess(root, {
    DATA_DIR: join(folder, 'data'),
    PORT: String(port),
    BETTER_AUTH_URL: url,
    RATE_LIMIT: '0',
    ...admin,
  })
  return { service, url }
}

describe.skipIf(!canMount)('on a disk of its own (needs mount)', () => {
  test('R-26 the embedded database on a full disk refuses writes with 503, reads go on, and writes once there is room', async () => {
    const disk = mountMemory('96m')
    const { service, url } = await start(disk.folder)
    await service.ready()
    const root_ = await signIn(url, admin.ADMIN_EMAIL)
    const create = async () => {
      const json = { email: `${randomUUID()}@example.com`, name: 'x'.repeat(200) }
      const response = await post(`${url}/api/v1/users`, json, bearing(root_).headers)
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
      expect([path, await statusAt(`${url}${path}`, bearing(root_))]).toEqual([path, 200])

    disk.free()
    expect(await create()).toBe(201)
    await signUp(url)
    service.kill('SIGINT')
    expect(await service.exited).toEqual({ code: 0, signal: null })
    // All that was acknowledged, who signed up last, and the admin.
    expect(await countUsersIn(disk.folder)).toBe(statuses.filter((status) => status === 201).length + 4)
  })

  test('R-26 where its log of writes finds no room the process ends, says so, and loses nothing', async () => {
    const disk = mountMemory('96m')
    const data = join(disk.folder, 'data')
    // What begins another file of the log is no request of the service.
    const script = `
      import { fillDisk } from ${JSON.stringify(pathToFileURL(resolve('tests/support/standins/fill-disk.js')).href)}
      import { sql } from 'kysely'
      import { openDatabase } from ${JSON.stringify(pathToFileURL(join(root, 'dist/src/db/database.js')).href)}
      const { db } = await openDatabase({ kind: 'embedded', directory: ${JSON.stringify(data)}, onError: console.error })
      await sql\`create table kept as select 1 as n\`.execute(db)
      fillDisk(${JSON.stringify(disk.folder)})
      await sql\`select pg_switch_wal()\`.execute(db)
      for (;;) await sql\`insert into kept values (2)\`.execute(db).catch(() => {})`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(/EmbeddedDatabaseError: The database in .* cannot go on: .*No space left on device/)

    disk.free()
    const { db, close } = await openDatabase({ kind: 'embedded', directory: data, onError: raise })
    expect((await sql`select n from kept`.execute(db)).rows).toEqual([{ n: 1 }])
    await close()
  })

  test('R-27 on a disk that may not be written the start is refused, and nothing made anew', async () => {
    const disk = mountMemory('96m')
    const first = await start(disk.folder)
    await first.service.ready()
    first.service.kill('SIGINT')
    await first.service.exited

    execFileSync('mount', ['-o', 'remount,ro', disk.folder])
    const second = await start(disk.folder)
    expect(await second.service.exited).toEqual({ code: 1, signal: null })
    expect(second.service.output()).toContain('DATA_DIR: cannot be used as a folder (EROFS)')

    execFileSync('mount', ['-o', 'remount,rw', disk.folder])
    const third = await start(disk.folder)
    await third.service.ready()
    await signIn(third.url, admin.ADMIN_EMAIL)
  })
})

/** How many users the database of a service that has ended holds. */
async function countUsersIn(folder: string): Promise<number> {
  const { db, close } = await openDatabase({ kind: 'embedded', directory: join(folder, 'data'), onError: raise })
  const { rows } = await sql<{ n: number }>`select count(*) as n from "user"`.execute(db)
  await close()
  return rows[0]?.n ?? 0
}

function raise(error: Error): void {
  throw error
}
