import { expect, test } from 'vitest'
import { createCursors } from '../../src/http/cursor.ts'

const cursors = createCursors(new Uint8Array(32))
const query = { sort: 'name' }
const cursor = cursors.encode(['Ada', 'an-id'], query)

test('a cursor tells where a page ended, to the list that it is of', () => {
  expect(cursors.decode(cursor, query)).toEqual(['Ada', 'an-id'])
})

test.each([
  ['with something behind it', `${cursor}.x`],
  ['with a dot behind it', `${cursor}.`],
  ['of another place', cursor.replace(/^[^.]+/, 'WyJCIiwiYiJd')],
  ['without a signature', cursor.replace(/\..*/, '')],
])('a cursor %s is refused', (_what, altered) => {
  expect(() => cursors.decode(altered, query)).toThrow('is not a cursor of this list, sort and filter')
})
