import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { cutPage } from '../../src/http/page.ts'

/** A page of two of so many rows, and where it says that the list goes on. */
async function pageOf(rows: string[], brokenOff?: string) {
  const app = new Hono().get('/list', (c) => c.json(cutPage(c, rows, 2, (last) => `after-${last}`, { brokenOff })))
  const response = await app.request('/list?limit=2')
  return [response.headers.get('link'), await response.json()]
}

const goesOn = (cursor: string) => `</list?limit=2&cursor=${cursor}>; rel="next"`

test('a list goes on after a page where one row more was found', async () => {
  expect(await pageOf(['a', 'b', 'c'])).toEqual([
    goesOn('after-b'),
    { data: ['a', 'b'], page: { limit: 2, nextCursor: 'after-b' } },
  ])
})

test.each([[['a', 'b']], [['a']], [[]]])('a list ends with the page of %j', async (rows) => {
  expect(await pageOf(rows)).toEqual([null, { data: rows, page: { limit: 2, nextCursor: null } }])
})

test('a list that was not looked through goes on from there', async () => {
  expect(await pageOf(['a'], 'there')).toEqual([
    goesOn('there'),
    { data: ['a'], page: { limit: 2, nextCursor: 'there' } },
  ])
})
