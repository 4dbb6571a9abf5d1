import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { isSameText } from './constant-time.ts'
import { invalid } from './problem.ts'

const Position = z.tuple([z.union([z.string(), z.number()]), z.string()])

/** Where a page ended: the value of the sort column and the id. */
export type Position = z.infer<typeof Position>

/** Writes and reads the opaque cursors of one service. */
export interface Cursors {
  encode: (position: Position, query: object) => string
  /** @throws ProblemError `validation` when the cursor is not ours, or belongs to another sort or filter */
  decode: (cursor: string, query: object) => Position
}

/**
 * Cursors signed with `key` and bound to the query (sort and filters) they continue, so that none can be made up,
 * altered, or used with another query.
 */
export function createCursors(key: Uint8Array): Cursors {
  const sign = (payload: string, query: object) =>
    createHmac('sha256', key)
      .update(`${payload}.${JSON.stringify(query)}`)
      .digest('base64url')
  return {
    encode(position, query) {
      const payload = Buffer.from(JSON.stringify(position)).toString('base64url')
      return `${payload}.${sign(payload, query)}`
    },
    decode(cursor, query) {
      const [payload = '', signature = ''] = cursor.split('.')
      if (cursor !== `${payload}.${signature}` || !isSameText(signature, sign(payload, query))) {
        throw invalid({ parameter: 'cursor', detail: 'is not a cursor of this list, sort and filter' })
      }
      return Position.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
    },
  }
}
