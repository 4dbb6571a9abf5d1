import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { readToEnd } from './raw-http.ts'

/** Connections that stay until the test ends; one that is not taken tells nothing. */
export async function connectMany(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
  // No more at once than wait to be taken.
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(200, count - sockets.length) }, () =>
      connect(Number(port), hostname).on('error', () => {}),
    )
    sockets.push(...some)
    await Promise.all(some.map((socket) => once(socket, 'connect').catch(() => {})))
  }
  return sockets
}

/** Asks `/health` over each connection, without waiting for an answer. */
export function askAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
}

/** Asks `/health` over each connection. Returns which statuses came. */
export async function statusesOfAll(sockets: readonly Socket[]): Promise<Set<string>> {
  const answers = sockets.map(async (socket) => {
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.toString('latin1', 9, 12)
  })
  askAll(sockets)
  return new Set(await Promise.all(answers))
}

/** Sends bytes over each connection and then one more every two seconds. Returns how often there was which status. */
export async function sendSlowly(sockets: readonly Socket[], bytes: string): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  const send = async (socket: Socket) => {
    socket.write(bytes)
    const drip = setInterval(() => socket.writable && socket.write('1'), 2_000)
    const status = (await readToEnd(socket)).slice(9, 12)
    clearInterval(drip)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  await Promise.all(sockets.map(send))
  return statuses
}
