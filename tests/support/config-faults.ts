import { ConfigError, parseConfig } from '../../src/config.ts'
import { secret } from './harness.ts'

/** What a service on PostgreSQL needs. */
export const postgres = {
  DATABASE_URL: 'postgres://localhost/latchkey',
  BETTER_AUTH_URL: 'https://auth.example.com',
  BETTER_AUTH_SECRET: secret,
}

/** The faults of a configuration, none for one that may be used. */
export function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}
