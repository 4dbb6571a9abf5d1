import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { ackLog, lostFrom, nothingLost } from '../support/ack-log.ts'
import { keepAsking, signIn } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { password } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const cycles = isNightly ? 100 : 3
// An idle machine takes four seconds at most.
const readyWithinMs = isNightly ? 8_000 : 30_000
const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: password }

test(`R-19 killed under writes ${cycles} times, the embedded database opens and has all that was acknowledged`, {
  timeout: cycles * 30_000 + 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-killed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { DATA_DIR: folder, PORT: String(port), BETTER_AUTH_URL: url, RATE_LIMIT: '0', ...admin }
  const writer = { url, baseUrl: url, token: '' }
  const { log, calls } = ackLog(writer)
  const asks = Object.values(calls).map((call) => async () => {
    const response = await call()
    await response.arrayBuffer()
    return response.status
  })
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
    writer.token = (await signIn(url, admin.ADMIN_EMAIL)).token
    const [created, signedUp] = [log.created.length, log.signedUp.length]
    const load = keepAsking(8, asks)
    const written = () => [log.created.length > created + 20, log.signedUp.length > signedUp, log.expelled.length > 0]
    await expect.poll(written, { timeout: 30_000 }).toEqual([true, true, true])
    await pause(Math.random() * 500)
    service.kill('SIGKILL')
    await load.stop()
    await service.exited
    service = await start()
  }
  await signIn(url, admin.ADMIN_EMAIL)
  service.kill('SIGINT')
  await service.exited

  const slowest = Math.round(Math.max(...readyMs))
  tellFigures('R-19', { cycles, created: log.created.length, signedUp: log.signedUp.length, slowestStartMs: slowest })
  // Of all that was killed, not of the last time only.
  expect(await lostIn(folder)).toEqual(nothingLost)
  expect(slowest).toBeLessThan(readyWithinMs)

  async function lostIn(directory: string) {
    const { db, close } = await openDatabase({ kind: 'embedded', directory, onError: () => {} })
    const lost = await lostFrom(db, log)
    await close()
    return lost
  }
})
