import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { secret } from './harness.ts'
import { type ServiceProcess, startProcess, statusOf } from './service-process.ts'
import { freePort } from './throwaway-postgres.ts'

/** One process of a fleet. */
export interface Member {
  service: ServiceProcess
  /** Where it listens itself. */
  url: string
}

/** Several processes of the service on one PostgreSQL, behind a proxy that hands requests to the ready ones in turn. */
export interface Fleet {
  /** The public URL: that of the proxy. */
  url: string
  members: Member[]
  /** Starts another process in the place of one, with other variables where some are given, and waits until it is ready. */
  replace: (place: number, env?: Record<string, string>) => Promise<void>
}

interface FleetOptions {
  databaseUrl: string
  count: number
  env?: Record<string, string>
  /** What a process is run by and with, instead of Node alone. */
  start?: (root: string, env: Record<string, string>, place: number) => ServiceProcess
}

const askReadyEveryMs = 250

/** Starts them at once, and waits until all are ready. They end with the test. */
export async function startFleet(
  root: string,
  { databaseUrl, count, env = {}, start = (at, settings) => startProcess(at, settings) }: FleetOptions,
): Promise<Fleet> {
  const members: Member[] = []
  const url = await startBalancer(members)
  async function startMember(place: number, extra: Record<string, string> = {}): Promise<Member> {
    const port = await freePort()
    const settings = { PORT: String(port), HOST: '127.0.0.1', BETTER_AUTH_URL: url, BETTER_AUTH_SECRET: secret }
    const all = { ...settings, DATABASE_URL: databaseUrl, RATE_LIMIT: '0', ...env, ...extra }
    const service = start(root, all, place)
    await service.ready()
    return { service, url: `http://127.0.0.1:${port}` }
  }
  members.push(...(await Promise.all(Array.from({ length: count }, (_, place) => startMember(place)))))
  return {
    url,
    members,
    async replace(place, extra) {
      members[place] = await startMember(place, extra)
    },
  }
}

/** A load balancer as there are many: it asks who is ready, and passes each request on to the next one that is. */
async function startBalancer(members: readonly Member[]): Promise<string> {
  const agent = new Agent({ keepAlive: true })
  let ready: string[] = []
  const asking = new Set<string>()
  // None waits for another, and none is asked again before it has answered.
  const askOne = async (url: string) => {
    if (asking.has(url)) return
    asking.add(url)
    const status = await statusOf(`${url}/health/ready`)
    asking.delete(url)
    const others = ready.filter((one) => one !== url)
    ready = status === 200 ? [...others, url] : others
  }
  const askAll = () => {
    const urls = members.map(({ url }) => url)
    ready = ready.filter((url) => urls.includes(url))
    for (const url of urls) void askOne(url)
  }
  let turn = 0
  const server = createServer((incoming, outgoing) => {
    const target = ready[turn++ % ready.length]
    if (target === undefined) outgoing.writeHead(502, 'nobody is ready').end()
    else pass(agent, target, incoming, outgoing)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const timer = setInterval(askAll, askReadyEveryMs)
  onTestFinished(() => {
    clearInterval(timer)
    agent.destroy()
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function pass(agent: Agent, target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, headers } = incoming
  const onward = request(`${target}${incoming.url}`, { agent, method: method ?? 'GET', headers }, (answer) => {
    const { connection: _, 'keep-alive': __, ...own } = answer.headers
    outgoing.writeHead(answer.statusCode ?? 502, own)
    answer.pipe(outgoing)
    answer.on('error', () => outgoing.destroy())
  })
  onward.on('error', ({ message }) => {
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(502, message).end()
  })
  incoming.pipe(onward)
}
