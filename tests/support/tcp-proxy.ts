import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Passes TCP connections on to a server, until it is told otherwise. */
export interface TcpProxy {
  /** The URL of the server, through the proxy. */
  url: (target: string) => string
  /** Nothing gets through any more, and nobody is told: what a network does that lost its way. */
  freeze: () => void
  /** Ends all connections, and each new one, and tells those who had them. */
  cut: () => void
  /** Lets all through again, and what was held back first. */
  thaw: () => void
  /** Everything takes so many milliseconds longer from now on, each way. */
  delay: (ms: number) => void
  /** Leads new connections to the server of another URL, and ends those that there are. */
  lead: (target: string) => void
  /** Calls `hook` each time that a client has sent something, once that is passed on. */
  onSent: (hook: () => void) => void
  close: () => Promise<void>
}

/** Listens on `port` of this machine for the server of a URL. */
export async function startProxy(target: string, port = 0): Promise<TcpProxy> {
  let to = new URL(target)
  let sentHook = () => {}
  const sockets = new Set<Socket>()
  let [frozen, isCut, delayMs] = [false, false, 0]
  const forward = (from: Socket, onto: Socket) => {
    sockets.add(from)
    if (frozen) from.pause()
    let sent: Promise<unknown> | undefined
    from.on('data', (chunk) => {
      if (delayMs === 0 && !sent) return onto.write(chunk)
      // Also what is delayed less than what came before it stays behind that.
      const own = Promise.all([sent, pause(delayMs)]).then(() => {
        onto.write(chunk)
        if (sent === own) sent = undefined
      })
      sent = own
      return true
    })
    from.on('error', () => onto.destroy())
    from.on('close', () => {
      sockets.delete(from)
      onto.destroy()
    })
  }
  const server = createServer((client) => {
    if (isCut) {
      client.destroy()
      return
    }
    const upstream = connect(Number(to.port || 5432), to.hostname)
    forward(client, upstream)
    client.on('data', () => sentHook())
    forward(upstream, client)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  return {
    url(text) {
      const url = new URL(text)
      url.host = `127.0.0.1:${own}`
      return url.href
    },
    freeze() {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    lead(other) {
      to = new URL(other)
      for (const socket of sockets) socket.destroy()
    },
    onSent(hook) {
      sentHook = hook
    },
    delay(ms) {
      delayMs = ms
    },
    thaw() {
      frozen = false
      isCut = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      if (server.listening) await once(server, 'close')
    },
  }
}
