import { type Bench, withClient } from './bench.ts'
import { createSigner, type Signer } from './people.ts'
import type { ServerProcess } from './processes.ts'
import { type Service, type SignedIn, secret, signIn, startBaseline, startService } from './service.ts'

/** A service with its database, and its admin signed in. */
export interface Arranged {
  database: string
  service: Service
  admin: SignedIn
  signer: Signer
}

export async function arrange(
  bench: Bench,
  options?: { env?: Record<string, string>; nodeFlags?: string[] },
): Promise<Arranged> {
  const database = await bench.createDatabase()
  const service = await startService(bench, database, options)
  const admin = await signIn(service)
  const signer = await withClient(database, (client) => createSigner(client, admin.token))
  return { database, service, admin, signer }
}

/** Better-Auth alone, on the same tables. */
export function startBetterAuth(bench: Bench, { database, service }: Arranged): Promise<ServerProcess> {
  return startBaseline(bench, 'better-auth', { DATABASE_URL: database, BASE_URL: service.baseUrl, SECRET: secret })
}

/** `jose.jwtVerify` and one query for each request, on the same tables. */
export function startJoseAndQuery(bench: Bench, { database, service, signer }: Arranged): Promise<ServerProcess> {
  return startBaseline(bench, 'jose-and-query', {
    DATABASE_URL: database,
    PUBLIC_KEY: JSON.stringify(signer.publicKey),
    ISSUER: `${service.baseUrl}/api/auth`,
    AUDIENCE: `${service.baseUrl}/api/v1`,
  })
}
