import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Certificate } from './certificates.ts'

/** What a page of a stand-in holds. The stand-in is asked at its port: to this process its name leads elsewhere. */
export async function openPage({ hostname, pathname, search }: URL, port: number, { authority }: Certificate) {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    servername: hostname,
    path: `${pathname}${search}`,
    headers: { host: hostname },
    ca: readFileSync(authority),
    agent: false,
  }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  return text(incoming)
}
