import type { Worker } from 'node:cluster'
import { once } from 'node:events'
import type { Lead } from './process.ts'
import type { Order, Report } from './workers.ts'

/**
 * Makes this process a worker that obeys the primary.
 * @param stop called when the primary says so and, as after SIGTERM, when it is gone
 */
export function followPrimary(worker: Worker, stop: (signal?: NodeJS.Signals) => void): Lead {
  const lost = once(worker, 'disconnect').then(() => {})
  const heard = new Map<Order, () => void>()
  const order = (name: Order) => new Promise<void>((resolve) => heard.set(name, resolve))
  const [listen, begin, serve, close] = [order('listen'), order('begin'), order('serve'), order('close')]
  worker.on('message', (message: Order) => {
    if (typeof message === 'object') stop(message.stop)
    else heard.get(message)?.()
  })
  worker.on('disconnect', () => {
    // Else Node ends the process at once, with the requests under way.
    worker.exitedAfterDisconnect = true
    stop('SIGTERM')
  })
  void tellPrimary(worker, 'waiting')
  return {
    listensWhileStarting: Promise.race([listen.then(() => true), begin.then(() => false)]),
    prepared: begin,
    async allBuilt() {
      await tellPrimary(worker, 'built')
      await serve
    },
    async allClosed() {
      await tellPrimary(worker, 'closed')
      await Promise.race([close, lost])
    },
  }
}

/** Resolves when the primary is told, or is gone. */
export function tellPrimary(worker: Worker, report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (worker.isConnected()) worker.send(report, () => resolve())
    else resolve()
  })
}
