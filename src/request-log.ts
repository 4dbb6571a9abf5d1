import type { IncomingMessage, ServerResponse } from 'node:http'
import { type DestinationStream, pino } from 'pino'
import type { Exchange } from './http/exchange.ts'
import type { Log } from './log.ts'

// A flood of requests that are refused, or that no limit refuses, must not fill a disk.
const linesPerSecond = 200

/**
 * One line a request: never its URL or its headers. Of refusals beyond 200 a second only how many there were, and so of
 * questions about health.
 */
export interface RequestLog {
  /** Writes the line of a request that was answered, or whose connection is gone. */
  answered: (exchange: Exchange, incoming: IncomingMessage, outgoing: ServerResponse) => void
  /** Writes the line of what never became a request. */
  refused: (requestId: string, status: number) => void
  /** Tells what was left out last. */
  close: () => void
}

/**
 * Makes the lines of requests. One is as pino writes it, put together at once: piece by piece, and looked through for what
 * is to be redacted, which no field here is, it costs five times as much.
 */
export function createRequestLog(log: Log): RequestLog {
  const { [pino.symbols.streamSym]: stream } = log as Log & { [pino.symbols.streamSym]: DestinationStream }
  const level = pino.levels.values['info']
  // As pino has them, and not as `bindings()` tells them, which leaves out the process.
  const { [pino.symbols.chindingsSym]: bindings } = log as Log & { [pino.symbols.chindingsSym]: string }
  const base = JSON.parse(`{${bindings.slice(1)}}`) as Record<string, unknown>
  const refusals = limitLines((omitted) => log.warn({ omitted }, 'refused requests without a line of their own'))
  const checks = limitLines((omitted) => log.warn({ omitted }, 'health checks without a line of their own'))
  // In an outage or a storm 503 is what every request gets.
  const isRefusal = (status: number) => (status >= 400 && status < 500) || status === 503
  const boundOf = (status: number, route = '') =>
    isRefusal(status) ? refusals : route.startsWith('/health') ? checks : undefined
  const isWritten = (status: number, route?: string) =>
    log.isLevelEnabled('info') && boundOf(status, route)?.take() !== false
  return {
    answered(exchange, incoming, outgoing) {
      // Who leaves before an answer costs no more lines than who is refused.
      if (!isWritten(outgoing.headersSent ? outgoing.statusCode : 499, exchange.route)) return
      const line = {
        level,
        time: Date.now(),
        ...base,
        requestId: exchange.id,
        method: incoming.method,
        route: exchange.route ?? null,
        status: outgoing.headersSent ? outgoing.statusCode : null,
        durationMs: Math.round((performance.now() - exchange.startedAt) * 10) / 10,
        principal: exchange.principal ?? null,
        aborted: outgoing.writableFinished ? undefined : true,
        msg: 'request',
      }
      stream.write(`${JSON.stringify(line)}\n`)
    },
    refused(requestId, status) {
      if (isWritten(status)) log.info({ requestId, status }, 'request refused')
    },
    close() {
      refusals.close()
      checks.close()
    },
  }
}

/**
 * Lets so many lines a second through.
 * @param tell is called at the end of a second in which there were more, with how many
 */
function limitLines(tell: (omitted: number) => void) {
  let taken = 0
  let timer: NodeJS.Timeout | undefined
  function close(): void {
    clearTimeout(timer)
    timer = undefined
    if (taken > linesPerSecond) tell(taken - linesPerSecond)
    taken = 0
  }
  return {
    /** Whether one more may be written. */
    take(): boolean {
      timer ??= setTimeout(close, 1_000).unref()
      return ++taken <= linesPerSecond
    },
    close,
  }
}
