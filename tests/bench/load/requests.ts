import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type Answers, latencyOf, type Pace, type Storm } from './job.ts'

/** Sends requests when they are due, however late the answers are. */
export async function keepPace({ url, shot, connections, perSecond, seconds }: Pace): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const record = createRecord()
  const everyMs = (connections * 1_000) / perSecond
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1_000
  async function client(index: number): Promise<void> {
    for (let due = startedAt + (everyMs * index) / connections; due < endsAt; due += everyMs) {
      const early = due - performance.now()
      if (early > 0) await pause(early)
      // A timer of Node may fire a millisecond late, which is not the server's.
      const from = early > 0 ? performance.now() : due
      const { status } = await send(agent, url, shot.path, shot.headers)
      record.add(status, performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, index) => client(index)))
  agent.destroy()
  return record.answers()
}

/**
 * Clients that are at it without a break. What is not answered by the end is not counted.
 * @throws Error when anything was answered otherwise than expected, or not at all
 */
export async function storm({ url, path, headers, bodies, seconds, isPatient, expect }: Storm): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: bodies.length })
  const record = createRecord()
  const endsAt = performance.now() + seconds * 1_000
  let isOver = false
  async function client(body: string): Promise<void> {
    while (performance.now() < endsAt) {
      const from = performance.now()
      const { status, retryAfter } = await send(agent, url, path, headers, body)
      const now = performance.now()
      if (!isOver && now < endsAt) record.add(status, now - from)
      if (isPatient && status === 503) await pause(Math.min(endsAt - now, retryAfter * 1_000))
    }
  }
  const clients = Promise.all(bodies.map(client))
  await Promise.race([clients, pause(seconds * 1_000)])
  isOver = true
  agent.destroy()
  await clients
  const answers = record.answers()
  const others = Object.entries(answers).filter(([status]) => !expect.includes(Number(status)))
  if (others.length > 0) {
    const counts = others.map(([status, { count }]) => `${count} times ${status === '0' ? 'nothing' : status}`)
    throw new Error(`POST ${url}${path}: answered ${counts.join(', ')}`)
  }
  return answers
}

interface Reply {
  /** 0 when there is none. */
  status: number
  retryAfter: number
}

function send(agent: Agent, url: string, path: string, headers: Record<string, string>, body?: string): Promise<Reply> {
  return new Promise((resolve) => {
    const none = () => resolve({ status: 0, retryAfter: 0 })
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const method = body === undefined ? 'GET' : 'POST'
    const outgoing = request(`${url}${path}`, { agent, method, headers: { ...headers, ...length } }, (incoming) => {
      const { statusCode: status = 0, headers } = incoming
      incoming.on('error', none)
      incoming.on('end', () => resolve({ status, retryAfter: Number(headers['retry-after'] ?? 1) }))
      incoming.resume()
    })
    outgoing.on('error', none)
    outgoing.end(body)
  })
}

function createRecord() {
  const samples = new Map<number, number[]>()
  return {
    add(status: number, ms: number) {
      const list = samples.get(status)
      if (list) list.push(ms)
      else samples.set(status, [ms])
    },
    answers: (): Answers =>
      Object.fromEntries([...samples].map(([status, list]) => [status, { count: list.length, ...latencyOf(list) }])),
  }
}
