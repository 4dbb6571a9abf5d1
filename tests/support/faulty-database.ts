import { randomUUID } from 'node:crypto'
import { afterAll, onTestFinished } from 'vitest'
import { databaseUrl, onServer } from './database-template.ts'
import { startService, type TestService } from './harness.ts'
import { type PostgresOptions, startPostgres, type ThrowawayPostgres } from './throwaway-postgres.ts'

/** A PostgreSQL for the tests of one file, to be killed, hung and filled. */
export async function postgresForFile(options?: PostgresOptions): Promise<ThrowawayPostgres> {
  const server = await startPostgres(options)
  afterAll(() => server.stop())
  return server
}

/** @returns the URL of a new, empty database on a server, which goes with the server */
export async function emptyDatabase({ url }: ThrowawayPostgres): Promise<string> {
  const name = `latchkey_${randomUUID().replaceAll('-', '')}`
  await onServer(url, `create database ${name}`)
  return databaseUrl(url, name)
}

/** A service in this process until the test is finished. */
export async function startOn(url: string, extra: Record<string, string> = {}): Promise<TestService> {
  const service = await startService({ database: { env: { DATABASE_URL: url, ...extra }, remove: async () => {} } })
  onTestFinished(() => service.stop())
  return service
}

/** Stops all processes of a server where they are, as a machine that hangs does. @returns lets them go on */
export function hang({ pids }: ThrowawayPostgres): () => void {
  const stopped = pids()
  for (const pid of stopped) process.kill(pid, 'SIGSTOP')
  const resume = () => {
    for (const pid of stopped.splice(0)) process.kill(pid, 'SIGCONT')
  }
  onTestFinished(resume)
  return resume
}
