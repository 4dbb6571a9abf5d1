import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** An answer, as it came over the wire. */
export interface RawAnswer {
  status: number
  /** Everything up to the body, in lower case. */
  head: string
  body: string
  /** The slug of the problem type or the code of Better-Auth in the body, if one is there. */
  slug: string | undefined
}

/** A connection to a service, gone after the test at the latest. */
export function openSocket({ url }: { url: string }): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  // The answer may come, and the connection go, before everything is written.
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  return socket
}

/** Sends bytes that no HTTP client would, and reads answers until the service closes the connection. */
export async function sendBytes(service: { url: string }, bytes: string | Buffer): Promise<RawAnswer[]> {
  const socket = openSocket(service)
  socket.write(bytes)
  return answersIn(await readToEnd(socket))
}

/** What comes over a connection until it ends, or is reset: what came before that counts. */
export async function readToEnd(socket: Socket): Promise<string> {
  let received = ''
  socket.setEncoding('utf8').on('data', (part: string) => (received += part))
  if (!socket.closed) await once(socket, 'close').catch(() => {})
  return received
}

/** The same, of what has one answer. */
export async function sendOnce(service: { url: string }, bytes: string | Buffer): Promise<RawAnswer> {
  const [answer, ...more] = await sendBytes(service, bytes)
  if (!answer || more.length > 0) throw new Error(`there are ${answer ? more.length + 1 : 0} answers`)
  return answer
}

/** The answers in what came over a connection. */
export function answersIn(received: string): RawAnswer[] {
  return received
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter(Boolean)
    .map((answer) => {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      const slug = /"type":"\/problems\/([\w-]+)"/.exec(body)?.[1] ?? /"code":"(\w+)"/.exec(body)?.[1]
      return { status: Number(head.slice(9, 12)), head: head.toLowerCase(), body, slug }
    })
}
