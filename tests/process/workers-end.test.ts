import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { childrenOf, isAlive } from '../support/running.ts'
import { buildService, statusOf } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { messages, readyWorkers, startSignIn, startWorkers, workersOf } from '../support/workers.ts'

const root = buildService()

describe.skipIf(!onPostgres)('several workers (need PostgreSQL)', () => {
  test('SIGTERM to all processes at once: what is under way is answered, then all end with success', async () => {
    const { service, url } = await startWorkers(root)
    const workers = await readyWorkers(service)
    const signIn = await startSignIn(url)

    for (const pid of [service.pid, ...workers]) process.kill(pid, 'SIGTERM')
    await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 1_500, interval: 20 }).toBe(503)
    await expect.poll(() => statusOf(`${url}/health/ready`), { timeout: 5_000 }).toBeUndefined()

    expect(await signIn.finish()).toBe(401)
    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(workers.filter(isAlive)).toEqual([])
  })

  test('a worker that is just being started when all are told to end makes the end no failure', async () => {
    const { service } = await startWorkers(root)
    const [victim, other] = await readyWorkers(service)
    process.kill(victim, 'SIGKILL')
    const loading = () => childrenOf(service.pid).filter((pid) => pid !== victim && pid !== other)
    await expect.poll(loading, { timeout: 5_000, interval: 5 }).toHaveLength(1)

    for (const pid of [service.pid, other, ...loading()]) process.kill(pid, 'SIGTERM')

    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(workersOf(service)).toEqual([victim, other])
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'R-16 %s ends idle workers with success, sent twice as well',
    async (signal) => {
      const { service } = await startWorkers(root)
      await service.ready()

      service.kill(signal)
      service.kill(signal)

      expect(await service.exited).toEqual({ code: 0, signal: null })
      expect(messages(service, 'stopping').filter(({ pid }) => pid === service.pid)).toHaveLength(1)
    },
  )

  test('a worker that is killed while all end makes the end a failure', async () => {
    const { service } = await startWorkers(root)
    const [victim] = await readyWorkers(service)

    service.kill('SIGTERM')
    await expect.poll(() => messages(service, 'stopping')).toHaveLength(3)
    process.kill(victim, 'SIGKILL')

    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.output()).toMatch(/^A worker ended with SIGKILL$/m)
  })

  test('a worker that hangs keeps neither the others from ending nor the primary', async () => {
    const { service, url } = await startWorkers(root)
    const [hung, other] = await readyWorkers(service)
    process.kill(hung, 'SIGSTOP')
    onTestFinished(() => void (isAlive(hung) && process.kill(hung, 'SIGCONT')))
    const toldAt = performance.now()
    service.kill('SIGTERM')

    await expect.poll(() => isAlive(other), { timeout: 11_000 }).toBe(false)
    expect(isAlive(hung)).toBe(true)
    // As long as Docker waits after SIGTERM.
    const inTime = pause(10_000 - (performance.now() - toldAt), 'not in time', { ref: false })
    expect(await Promise.race([service.exited, inTime])).toEqual({ code: 1, signal: null })
    expect(isAlive(hung)).toBe(false)
    expect(service.output()).toContain('SIGKILL')
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed')
  })

  test('workers whose primary is killed answer what is under way, and end', async () => {
    const { service, url } = await startWorkers(root)
    const workers = await readyWorkers(service)
    const signIn = await startSignIn(url)

    service.kill('SIGKILL')
    await expect.poll(() => statusOf(`${url}/health`), { timeout: 5_000 }).toBeUndefined()

    expect(await signIn.finish()).toBe(401)
    await expect.poll(() => workers.filter(isAlive), { timeout: 10_000 }).toEqual([])
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'R-16 %s ends workers that wait for their database',
    async (signal) => {
      const { service, url } = await startWorkers(root, {
        DATABASE_URL: `postgres://postgres@127.0.0.1:${await freePort()}/postgres`,
      })
      await expect.poll(() => statusOf(`${url}/health`), { timeout: 30_000 }).toBe(200)
      expect(await statusOf(`${url}/health/ready`)).toBe(503)
      expect(await statusOf(`${url}/api/v1/auth/me`)).toBe(503)

      service.kill(signal)

      expect(await service.exited).toEqual({ code: 0, signal: null })
    },
  )
})
