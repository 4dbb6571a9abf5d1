import { expect, test } from 'vitest'
import { watchAuthority } from '../../src/auth/authority/live.ts'
import type { Notifications } from '../../src/db/notifications.ts'
import { createLog } from '../../src/log.ts'
import { startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'

const queriesOf = watchQueries()
const { db, createUser } = await startServiceForFile()

/** Authority at a database that tells of its changes, or does not. */
function watch(isCurrent: boolean) {
  const done = () => Promise.resolve()
  const notifications: Notifications = {
    isCurrent: () => isCurrent,
    catchUp: done,
    distrust: () => {},
    age: () => 0,
    close: done,
  }
  const listen = () => Promise.resolve(notifications)
  const database = {
    db,
    listen,
    isHeard: () => isCurrent,
    clock: () => Promise.reject(new Error('unused')),
    close: done,
  }
  return watchAuthority({ database, maxBytes: 1_000_000, onKeysChanged: () => {}, log: createLog('silent') })
}

test.each([
  [true, 1],
  [false, 3],
])('where that changes are heard of is %s, three who ask make so many queries: %i', async (isCurrent, queries) => {
  const { id } = await createUser()
  const authority = await watch(isCurrent)
  const ask = async () => authority.ofUser(id, null)

  const asked = await queriesOf(async () => [await Promise.all([ask(), ask()]), await ask()])

  expect(asked).toHaveLength(queries)
  expect(await ask()).toMatchObject({ id })
})
