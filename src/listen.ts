import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, Server as NetServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Config, ConfigError } from './config.ts'
import type { Log } from './log.ts'

const portsToTry = 20

/**
 * Listens on the port that is configured, or on the next one that is free where none was chosen.
 * @returns the port
 * @throws ConfigError when it cannot listen there
 */
export async function listen(server: Server, config: Config): Promise<number> {
  const ports = config.portIsFixed ? [config.port] : Array.from({ length: portsToTry }, (_, i) => config.port + i)
  for (const port of ports) {
    try {
      server.listen(port, config.host)
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' && port !== ports.at(-1)) continue
      throw new ConfigError([listenFault(code, port)])
    }
  }
  throw new Error('unreachable')
}

function listenFault(code: string | undefined, port: number): string {
  if (code === 'EADDRINUSE') return `PORT: ${port} is already in use by another process`
  if (code === 'EACCES') return `PORT: this user may not listen on ${port}`
  return `HOST: is not an address of this machine (${code})`
}

/** Takes no new connection. @returns what resolves when all have ended */
export function endListening(server: Server): Promise<unknown> {
  const closed = once(server, 'close')
  // HTTP's own `close` cuts idle connections at once, also those on which a request is on its way.
  NetServer.prototype.close.call(server)
  return closed
}

interface Closing {
  /** How long idle connections may wait for another request, in milliseconds. */
  graceMs: number
  /** In how many milliseconds connections are cut off. */
  cutInMs: number
  log: Log
}

/**
 * Ends each connection after its next answer, and the idle ones.
 * @param closed what `endListening` has returned
 */
export async function closeServer(server: Server, closed: Promise<unknown>, options: Closing): Promise<void> {
  const { graceMs, cutInMs, log } = options
  const deadline = setTimeout(() => {
    server.getConnections((_error, connections) => {
      log.warn({ connections }, 'requests took too long: cutting their connections off')
      server.closeAllConnections()
    })
  }, cutInMs)
  await Promise.race([closed, pause(graceMs)])
  server.closeIdleConnections()
  await closed
  clearTimeout(deadline)
}
