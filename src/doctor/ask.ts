import { type IncomingHttpHeaders, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { TLSSocket } from 'node:tls'

/** What was answered, and how. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** The address and port on this machine that it was asked from. */
  from: { address: string; port: number }
  /** When the certificate begins and ends, in milliseconds since the epoch; undefined without TLS. */
  certificate: { from: number; to: number } | undefined
  /** Between these it was answered, in milliseconds since the epoch. */
  sentAt: number
  heardAt: number
}

const withinMs = 5_000
const maxChars = 1_000_000

/**
 * Asks a URL over a connection of its own, and follows no redirection: what is there is to be seen as it is.
 * @throws Error of the network or of TLS, or when it takes five seconds
 */
export function ask(url: string, options: Pick<RequestOptions, 'method' | 'headers'> = {}): Promise<Answer> {
  const request = url.startsWith('https:') ? requestTls : requestPlain
  return new Promise((resolve, reject) => {
    const sentAt = Date.now()
    const outgoing = request(url, { ...options, agent: false })
    const deadline = setTimeout(() => outgoing.destroy(timeout()), withinMs)
    outgoing.on('close', () => clearTimeout(deadline))
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const { socket } = incoming
      const from = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 }
      const certificate = certificateOf(socket)
      const heardAt = Date.now()
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        body += chunk
        if (body.length > maxChars) outgoing.destroy(new Error('the answer is too long'))
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        const { statusCode: status = 0, headers } = incoming
        resolve({ status, headers, body, from, certificate, sentAt, heardAt })
      })
    })
    outgoing.end()
  })
}

function timeout(): Error {
  return Object.assign(new Error('there is no answer in five seconds'), { code: 'ETIMEDOUT' })
}

function certificateOf(socket: unknown): Answer['certificate'] {
  if (!(socket instanceof TLSSocket)) return undefined
  const { valid_from: from, valid_to: to } = socket.getPeerCertificate()
  return { from: Date.parse(from), to: Date.parse(to) }
}

/** The JSON of an answer; undefined when it is none. */
export function jsonOf({ body }: Answer): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
