import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

export interface RawOptions {
  method?: string
  headers?: Record<string, string | string[]>
  /** Sent with its length, or in chunks when it is a list. */
  body?: string | string[]
}

/** Sends to a service what `fetch` would not. */
export function createRawRequest({ url }: { url: string }) {
  return async function raw(path: string, { method = 'GET', headers = {}, body }: RawOptions = {}) {
    const outgoing = httpRequest(`${url}${path}`, { method, agent: false, headers: headers as never })
    // The answer may come, and the connection go, before everything is written.
    outgoing.on('error', () => {})
    if (typeof body === 'string') outgoing.setHeader('content-length', Buffer.byteLength(body))
    for (const chunk of [body ?? []].flat()) outgoing.write(chunk)
    outgoing.end()
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const content = await text(incoming).catch(() => '')
    const type = /"type":"\/problems\/([\w-]+)"/.exec(content)?.[1]
    return { status: incoming.statusCode, headers: incoming.headers as IncomingHttpHeaders, type, content }
  }
}
