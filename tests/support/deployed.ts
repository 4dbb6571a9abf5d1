import { secret } from './harness.ts'
import { type ServiceProcess, startProgram } from './service-process.ts'
import { freePort } from './throwaway-postgres.ts'

/**
 * A service on PostgreSQL as `npm start` runs it, which holds nobody to a rate, until the test ends.
 * @param root where it was built
 * @param within makes of its command the one that is run
 */
export async function startAsDeployed(
  root: string,
  databaseUrl: string,
  within = (command: string[]) => command,
): Promise<{ service: ServiceProcess; url: string }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { PORT: String(port), HOST: '127.0.0.1', BETTER_AUTH_URL: url, BETTER_AUTH_SECRET: secret }
  const command = within([process.execPath, '--max-semi-space-size=16', `${root}/dist/src/main.js`])
  const service = startProgram(command, { ...env, DATABASE_URL: databaseUrl, RATE_LIMIT: '0' }, root)
  await service.ready()
  return { service, url }
}
