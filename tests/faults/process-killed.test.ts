import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { bearing, keepAsking, post, signIn, signUp, statusAt } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { password } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const cycles = isNightly ? 100 : 3
const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password }

test(`R-19 killed under writes ${cycles} times, the embedded database opens and has all that was acknowledged`, {
  timeout: cycles * 30_000 + 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-killed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { DATA_DIR: folder, PORT: String(port), BETTER_AUTH_URL: url, RATE_LIMIT: '0', ...admin }
  const acknowledged: string[] = []
  const readyMs: number[] = []

  async function start() {
    const startedAt = performance.now()
    const service = startProcess(root, env)
    await service.ready()
    readyMs.push(performance.now() - startedAt)
    return service
  }

  let service = await start()
  for (let cycle = 0; cycle < cycles; cycle++) {
    const root_ = await signIn(url, admin.ADMIN_EMAIL)
    const before = acknowledged.length
    const create = async () => {
      const email = `${randomUUID()}@example.com`
      const response = await post(`${url}/api/v1/users`, { email, name: 'New' }, bearing(root_).headers)
      await response.arrayBuffer()
      if (response.status === 201) acknowledged.push(email)
      return response.status
    }
    const load = keepAsking(8, [create])
    await expect.poll(() => acknowledged.length - before, { timeout: 20_000 }).toBeGreaterThan(20)
    await pause(Math.random() * 500)
    service.kill('SIGKILL')
    await load.stop()
    await service.exited
    service = await start()

    const again = await signIn(url, admin.ADMIN_EMAIL)
    const missing: string[] = []
    for (const email of acknowledged.slice(before)) {
      const found = await fetch(`${url}/api/v1/users?email=${encodeURIComponent(email)}`, bearing(again))
      const { data } = (await found.json()) as { data: unknown[] }
      if (data.length !== 1) missing.push(email)
    }
    expect(missing).toEqual([])
    // What signs in has both of its rows.
    const ada = await signUp(url)
    expect(await statusAt(`${url}/api/v1/auth/me`, bearing(ada))).toBe(200)
  }
  const slowest = Math.round(Math.max(...readyMs))
  tellFigures('R-19', { cycles, acknowledged: acknowledged.length, slowestStartMs: slowest })
})
