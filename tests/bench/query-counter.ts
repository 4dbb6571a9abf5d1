import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import { type Service, startService } from './service.ts'

/** Tells which statements a service sends to its database. */
interface QueryCounter {
  /** The URL of the database, past this. */
  url: string
  /** The statements since this was last called. */
  take: () => string[]
  close: () => void
}

/** A service of its own, whose queries are counted. */
export interface CountedService extends Service {
  /**
   * How many statements one request causes, over `count` of them, those of the service's own upkeep left out.
   * @throws Error when one is answered otherwise than expected
   */
  queriesPer: (request: (service: Service, index: number) => Promise<Response>, options?: Counting) => Promise<number>
}

interface Counting {
  count?: number
  expect?: number
}

const observeMs = 2_000

/** @param like what the service calls itself, so that the tokens of another one are good here too */
export async function startCounted(bench: Bench, database: string, like: Service): Promise<CountedService> {
  const counter = await startCounter(database)
  bench.defer(counter.close)
  const service = await startService(bench, counter.url, { env: { BETTER_AUTH_URL: like.baseUrl, RATE_LIMIT: '0' } })
  await pause(observeMs / 4)
  counter.take()
  await pause(observeMs)
  const upkeep = new Set(counter.take())
  return {
    ...service,
    async queriesPer(request, { count = 500, expect = 200 } = {}) {
      const perform = async (index: number) => {
        const response = await request(service, index)
        const body = await response.text()
        if (response.status !== expect) throw new Error(`${response.url}: ${response.status} ${body}`)
      }
      // What is asked for once, such as a key, is not asked for by each.
      for (let i = 0; i < 3; i++) await perform(i)
      counter.take()
      for (let i = 0; i < count; i++) await perform(i)
      const caused = counter.take().filter((statement) => !upkeep.has(statement)).length
      // To the hundredth: what comes once in some seconds, whatever is asked, is no part of a request.
      return Math.round((caused * 100) / count) / 100
    },
  }
}

/** Passes connections on to PostgreSQL and reads along. */
async function startCounter(target: string): Promise<QueryCounter> {
  const { hostname, port } = new URL(target)
  let statements: string[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(port || 5432), hostname)
    const read = createReader((statement) => void statements.push(statement))
    client.on('data', read)
    client.pipe(upstream).pipe(client)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
    take() {
      const taken = statements
      statements = []
      return taken
    },
    close: () => server.close(),
  }
}

/**
 * Reads what a client sends, without TLS, and tells each statement that is to be executed.
 * @see PostgreSQL, "Message Formats": Query, Parse, Bind, Execute
 */
function createReader(onStatement: (text: string) => void): (chunk: Buffer) => void {
  const prepared = new Map<string, string>()
  let bound = ''
  let rest: Buffer = Buffer.alloc(0)
  let isStartup = true

  function read(type: string, body: Buffer): void {
    const [first = '', second = ''] = body.toString('latin1').split('\0', 2)
    if (type === 'Q') onStatement(first)
    else if (type === 'P') prepared.set(first, second)
    else if (type === 'B') bound = prepared.get(second) ?? ''
    else if (type === 'E') onStatement(bound)
  }

  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      // The first message alone has no type.
      const at = isStartup ? 0 : 1
      if (rest.length < at + 4) return
      const end = at + rest.readUInt32BE(at)
      if (rest.length < end) return
      if (!isStartup) read(String.fromCharCode(rest[0] ?? 0), rest.subarray(at + 4, end))
      isStartup = false
      rest = rest.subarray(end)
    }
  }
}
