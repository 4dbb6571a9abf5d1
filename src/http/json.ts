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

// Deeper than anything that is asked for here; what follows a value down by recursion would overflow its stack.
const maxDepth = 32

/**
 * What makes JSON mean one thing to one reader and another to the next, in words: a byte order mark, a member that an object
 * names twice, of which `JSON.parse` keeps the last, or more than 32 levels.
 * @param allows whether a string may be there, as the name of a member or as a value
 * @returns undefined for none of these, and for what is no JSON at all
 * @see RFC 8259 sections 4, 8.1 and 9
 */
export function jsonFault(text: string, allows?: (string: string, isMember: boolean) => boolean): string | undefined {
  if (text.startsWith('\uFEFF')) return 'begins with a byte order mark'
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  const scopes: (Set<string> | undefined)[] = []
  for (const [lexeme, literal, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (lexeme === '{') scopes.push(new Set())
    else if (lexeme === '[') scopes.push(undefined)
    else if (lexeme === '}' || lexeme === ']') scopes.pop()
    else {
      const [string, members] = [JSON.parse(literal ?? '') as string, colon === undefined ? undefined : scopes.at(-1)]
      if (members?.has(string)) return 'names a member twice'
      if (allows?.(string, members !== undefined) === false) return 'holds what is not allowed'
      members?.add(string)
    }
    if (scopes.length > maxDepth) return `has more than ${maxDepth} levels`
  }
  return undefined
}
