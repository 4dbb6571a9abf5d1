import { describe, expect, test, vi } from 'vitest'
import { listen } from '../../src/db/notifications.ts'
import { onPostgres } from '../support/database-template.ts'
import { createUser, listeners, listenTo, onDatabase, patient, startWay } from '../support/listening.ts'

describe.skipIf(!onPostgres)('closing, on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  /** Nobody listens any more, and nobody is told any more. */
  async function expectEnded({ url, events }: Awaited<ReturnType<typeof listenTo>>) {
    const told = [...events]
    await expect.poll(() => onDatabase(url, `select pid ${listeners}`), patient).toEqual([])
    await onDatabase(url, `select pg_notify('authority', 'user:ada')`)
    expect(events).toEqual(told)
  }

  test('while it connects', async () => {
    const proxy = await startWay()
    proxy.freeze()
    const listening = await listenTo({ direct: proxy.url })
    await listening.notifications.close()
    await expectEnded(listening)
    expect(listening.events).toEqual([])
  })

  test('while it is proven', async () => {
    const { url } = await listenTo()
    const told = vi.fn<() => void>()
    const closed = new Promise<void>((resolve, reject) => {
      const notifications = listen({
        url,
        directUrl: url,
        channel: 'authority',
        onNotification: () => {},
        onGap: () => void notifications.close().then(resolve, reject),
        onChange: told,
      })
    })
    await closed
    expect(told).not.toHaveBeenCalled()
  })

  test('while it beats', async () => {
    const listening = await listenTo()
    await listening.becomesCurrent()
    const beats = [createUser(listening.db), createUser(listening.db)].map(async (user) =>
      (await user).rename(listening.db),
    )
    await listening.notifications.close()
    await Promise.all(beats)
    expect(listening.isCurrent()).toBe(false)
    await expectEnded(listening)
  })

  test('while the server hangs', async () => {
    const proxy = await startWay()
    const listening = await listenTo({ direct: proxy.url })
    await listening.becomesCurrent()
    proxy.freeze()
    await listening.notifications.close()
    expect(listening.isCurrent()).toBe(false)
    proxy.thaw()
    await expectEnded(listening)
  })

  test('what is written afterwards waits for nobody', async () => {
    const { db, notifications, becomesCurrent, events } = await listenTo()
    await becomesCurrent()
    await notifications.close()
    const user = await createUser(db)
    await user.rename(db)
    expect(events).not.toContain(user.told)
  })
})
