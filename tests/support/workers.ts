import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import { createTestDatabase, directUrl, secret, type TestDatabase } from './harness.ts'
import { type ServiceProcess, startProcess, statusOf } from './service-process.ts'
import { freePort } from './throwaway-postgres.ts'

/** A built service, of two workers unless `extra` says otherwise, on a database of its own that is removed after the test. */
export async function startWorkers(root: string, extra: Record<string, string> = {}, database?: TestDatabase) {
  const { env, remove } = database ?? (await createTestDatabase())
  onTestFinished(remove)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const service = startProcess(root, {
    PORT: String(port),
    HOST: '127.0.0.1',
    BETTER_AUTH_URL: url,
    BETTER_AUTH_SECRET: secret,
    RATE_LIMIT: '0',
    WEB_CONCURRENCY: '2',
    ...env,
    ...extra,
  })
  return { service, url, databaseUrl: directUrl(env) }
}

/** The processes that have become ready to work so far. */
export const workersOf = (service: ServiceProcess) =>
  service.log().flatMap(({ msg, pid }) => (msg === 'worker ready' ? [Number(pid)] : []))

/** Both workers of a service that has become ready: what they say comes a moment later than what the primary says. */
export async function readyWorkers(service: ServiceProcess): Promise<[number, number]> {
  await service.ready()
  await expect.poll(() => workersOf(service)).toHaveLength(2)
  return workersOf(service) as [number, number]
}

/** The log lines whose message holds a text. */
export const messages = (service: ServiceProcess, text: string) =>
  service.log().filter(({ msg }) => String(msg).includes(text))

const signInBody = JSON.stringify({ email: 'nobody@example.com', password: 'correct horse battery' })

/** A sign-in that is under way: the service waits for the rest of it. */
export async function startSignIn(url: string): Promise<{ finish: () => Promise<number | undefined> }> {
  const headers = { 'content-type': 'application/json', origin: url, 'content-length': signInBody.length }
  const outgoing: ClientRequest = request(`${url}/api/auth/sign-in/email`, { method: 'POST', headers })
  outgoing.write(signInBody.slice(0, 5))
  const answered = once(outgoing, 'response')
  answered.catch(() => {})
  // The head has arrived when what was asked after it is answered; both may be with different workers.
  for (let i = 0; i < 4; i++) expect(await statusOf(`${url}/health`)).toBe(200)
  return {
    async finish() {
      outgoing.end(signInBody.slice(5))
      const [incoming] = await answered
      incoming.resume()
      return incoming.statusCode
    },
  }
}
