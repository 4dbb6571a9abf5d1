import type { Context, TypedResponse } from 'hono'

/**
 * Makes an answer with what a row is on the wire, in JSON, which is written once for as long as there is the row.
 * @param toWire tells the same of the same row, which never changes
 */
export function jsonOnce<Row extends object, Wire>(toWire: (row: Row) => Wire) {
  const texts = new WeakMap<Row, string>()
  return (c: Context, row: Row) => {
    let text = texts.get(row)
    if (text === undefined) texts.set(row, (text = JSON.stringify(toWire(row))))
    const response: Response = c.body(text, 200, { 'content-type': 'application/json' })
    return response as Response & TypedResponse<Wire, 200, 'json'>
  }
}
