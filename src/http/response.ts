import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

type Given = OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined

/**
 * A class of responses that carry headers of their own, unless the handler sets its own, and the id of their request.
 * They go to Node in one list with those of the handler: each that is set by itself is checked, kept and looked up again.
 */
export function responseWith(constant: Record<string, string>) {
  const pairs = Object.entries(constant)
  const all: OutgoingHttpHeader[] = pairs.flat()
  const names = new Set(pairs.map(([name]) => name))

  /** The headers of all responses but for those that the handler names. */
  function others(named: string[]): OutgoingHttpHeader[] {
    return named.some((name) => names.has(name)) ? pairs.filter(([name]) => !named.includes(name)).flat() : all
  }

  return class Response<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    requestId = ''

    override writeHead(status: number, reasonOrHeaders?: string | Given, headers?: Given): this {
      if (typeof reasonOrHeaders === 'string') return super.writeHead(status, reasonOrHeaders, this.withOwn(headers))
      return super.writeHead(status, this.withOwn(reasonOrHeaders))
    }

    private withOwn(given: Given): OutgoingHttpHeader[] {
      const list = toList(given)
      const named = this.getHeaderNames()
      for (let i = 0; i < list.length; i += 2) named.push(String(list[i]).toLowerCase())
      return others(named).concat('x-request-id', this.requestId, list)
    }
  }
}

/** Names and values by turns. */
function toList(given: Given): OutgoingHttpHeader[] {
  if (Array.isArray(given)) return given
  const list: OutgoingHttpHeader[] = []
  for (const name in given) {
    const value = given[name]
    if (value !== undefined) list.push(name, value)
  }
  return list
}
