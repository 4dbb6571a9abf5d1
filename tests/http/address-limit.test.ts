import { expect, test } from 'vitest'
import { createAddressLimit } from '../../src/http/address-limit.ts'

type Exchange = Parameters<typeof createAddressLimit>[0]['exchange']

const create = (exchange: Exchange = async (counts) => counts, perMinute = 10) =>
  createAddressLimit({ name: 'all', perMinute, exchange })

/** Asks so many times. @returns how many requests may be made */
const ask = (limit: ReturnType<typeof create>, address: string, times: number) =>
  Array.from({ length: times }, () => limit.take(address)).filter(({ isAllowed }) => isAllowed).length

test('a site of many blocks may make as much as four of them, and what one is refused uses up nothing of it', () => {
  const limit = create()

  expect(ask(limit, '2001:db8:1:1::1', 100)).toBe(10)
  for (const block of [2, 3, 4]) expect(ask(limit, `2001:db8:1:${block}::1`, 10)).toBe(10)
  expect(ask(limit, '2001:db8:1:5::1', 10)).toBe(0)
  expect(limit.take('2001:db8:1:6::1').quota).toMatchObject({ name: 'all-48', most: 40 })
  expect(ask(limit, '2001:db8:2:1::1', 10)).toBe(10)
})

test('IPv4 addresses have no site that they share', () => {
  const limit = create()

  for (let last = 1; last <= 5; last++) expect(ask(limit, `192.0.2.${last}`, 11)).toBe(10)
})

test('it says whether there was something to share, and throws where that did not work', async () => {
  const idle = create()
  expect(await idle.share()).toBe(false)
  ask(idle, '192.0.2.1', 1)
  expect(await idle.share()).toBe(true)
  expect(await idle.share()).toBe(false)

  const failing = create(() => Promise.reject(new Error('the database is down')))
  ask(failing, '192.0.2.1', 1)
  await expect(failing.share()).rejects.toThrow('the database is down')
})
