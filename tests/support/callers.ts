import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { password } from './harness.ts'

/** Somebody who has signed up at a running service. */
export interface Caller {
  id: string
  email: string
  cookie: string
  token: string
}

/** Signs somebody up at `url`, a service that calls itself `origin`. */
export async function signUp(url: string, origin = url): Promise<Caller> {
  const email = `${randomUUID()}@example.com`
  const response = await post(`${url}/api/auth/sign-up/email`, { email, password, name: 'Ada' }, { origin })
  expect(response.status).toBe(200)
  return callerOf(url, origin, response)
}

/** Signs in by password. */
export async function signIn(url: string, email: string, origin = url): Promise<Caller> {
  const response = await post(`${url}/api/auth/sign-in/email`, { email, password }, { origin })
  expect(response.status).toBe(200)
  return callerOf(url, origin, response)
}

async function callerOf(url: string, origin: string, response: Response): Promise<Caller> {
  const { user } = (await response.json()) as { user: { id: string; email: string } }
  const cookie = (response.headers.getSetCookie()[0] ?? '').split(';')[0] ?? ''
  return { id: user.id, email: user.email, cookie, token: await tokenOf(url, { cookie, origin }) }
}

/** A JWT of a session. */
export async function tokenOf(url: string, headers: { cookie: string; origin?: string }): Promise<string> {
  const response = await fetch(`${url}/api/auth/token`, { headers })
  expect(response.status).toBe(200)
  return ((await response.json()) as { token: string }).token
}

/** Sends JSON. */
export function post(url: string, json: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const body = JSON.stringify(json)
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
}

/** Requests as `/api/v1` is asked by a program. */
export function bearing({ token }: Pick<Caller, 'token'>): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } }
}

/** What a load has come to so far: how often there was which outcome. */
export interface Asking {
  outcomes: Map<string, number>
  stop: () => Promise<Map<string, number>>
}

/**
 * Has so many clients ask by turns, each again as soon as it is answered, until it is stopped.
 * @param ask resolves to what came of it in a word, as its status
 */
export function keepAsking(clients: number, asks: (() => Promise<string | number>)[]): Asking {
  const outcomes = new Map<string, number>()
  let isStopped = false
  let turn = 0
  const client = async () => {
    while (!isStopped) {
      const ask = asks[turn++ % asks.length] as (typeof asks)[0]
      const outcome = String(await ask().catch(reasonOf))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  return {
    outcomes,
    async stop() {
      isStopped = true
      await all
      return outcomes
    },
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}

/** The status of an answer, which is read to its end. */
export async function statusAt(url: string, options: RequestInit = {}): Promise<number> {
  const response = await fetch(url, options)
  await response.arrayBuffer()
  return response.status
}
