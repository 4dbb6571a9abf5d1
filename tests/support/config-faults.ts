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

/** Values that may not be used, one by one: none of them, nor any part that is called canary, may be shown. */
export const bad: [name: string, value: string][] = [
  ['PORT', '0'],
  ['PORT', '65536'],
  ['PORT', '3e3'],
  ['HOST', 'canary host'],
  ['BETTER_AUTH_URL', 'auth.example.com'],
  ['BETTER_AUTH_URL', 'http://auth.example.com'],
  ['BETTER_AUTH_URL', 'http://localhost.example.com'],
  ['BETTER_AUTH_URL', 'https://auth.example.com/path'],
  ['BETTER_AUTH_URL', 'https://user:canary@auth.example.com'],
  ['BETTER_AUTH_URL', 'ftp://auth.example.com'],
  ['BETTER_AUTH_SECRET', 'short-canary'],
  ['BETTER_AUTH_SECRET', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
  ['BETTER_AUTH_SECRET', 'better-auth-secret-12345678901234567890'],
  ['BETTER_AUTH_SECRET', 'abcabcabcabcabcabcabcabcabcabcabcabc'],
  ['BETTER_AUTH_SECRETS', 'canary-of-one-secret-without-a-number-in-front'],
  ['BETTER_AUTH_SECRETS', '1:canary'],
  ['BETTER_AUTH_SECRETS', `1:${secret},1:${secret}`],
  ['DATABASE_URL', 'mysql://localhost/x'],
  ['DATABASE_URL', 'canary'],
  ['DATABASE_URL', 'postgres://%zz/canary'],
  ['DATABASE_URL', 'postgres://canary:%ff@localhost/latchkey'],
  ['DATABASE_URL', 'postgres:canary'],
  ['DATABASE_URL', 'postgres://localhost/latchkey?port=canary'],
  ['DATABASE_URL', 'postgres://localhost/latchkey?port=0'],
  ['DATABASE_URL', 'postgres://localhost/latchkey?sslmode=verify-full&sslrootcert=/canary'],
  ['DATABASE_URL', 'postgres://localhost/latchkey?sslkey=/tmp'],
  ['DIRECT_URL', 'postgres://localhost/latchkey?port=99999'],
  ['DIRECT_URL', 'postgres://localhost/latchkey?sslcert='],
  ['DIRECT_URL', 'postgres://localhost/%ff'],
  ['TRUSTED_ORIGINS', 'https://a.example.com,canary'],
  ['TRUSTED_ORIGINS', '*'],
  ['TRUSTED_ORIGINS', 'https://*.example.com'],
  ['TRUSTED_ORIGINS', 'http://192.168.*'],
  ['TRUSTED_ORIGINS', 'https://a?.example.com'],
  ['TRUSTED_ORIGINS', 'null'],
  ['WEB_CONCURRENCY', '2'],
  ['WEB_CONCURRENCY', '0'],
  ['WEB_CONCURRENCY', '65'],
  ['WEB_CONCURRENCY', '1.5'],
  ['WEB_CONCURRENCY', 'auto'],
  ['ADMIN_PASSWORD', 'passwo\u0000rd1'],
  ['FRONTEND_URL', 'https://a.example.com/app'],
  ['TRUSTED_PROXIES', '999.1.1.1'],
  ['TRUSTED_PROXIES', '10.0.0.0/33'],
  ['TRUSTED_PROXIES', 'localhost'],
  ['JWT_ALGORITHM', 'HS256'],
  ['JWT_ALGORITHM', 'none'],
  ['JWT_TTL', '15'],
  ['JWT_TTL', '10s'],
  ['JWT_TTL', '61m'],
  ['JWT_SHARED_SECRET', 'canary'],
  ['OIDC_ISSUER', 'login.canary.example'],
  ['OIDC_ISSUER', 'http://login.canary.example'],
  ['OIDC_ISSUER', 'ftp://login.canary.example'],
  ['OIDC_ISSUER', 'https://user:canary@login.example.com'],
  ['OIDC_ISSUER', 'https://login.example.com/?canary'],
  ['OIDC_ISSUER', 'https://login.example.com/#canary'],
  ['OIDC_CLIENT_ID', ' '],
  ['OIDC_CLIENT_SECRET', '\t'],
  ['GOOGLE_CLIENT_ID', ' '],
  ['GITHUB_CLIENT_SECRET', ' '],
  ['OIDC_NAME', 'x'.repeat(51)],
  ['OIDC_NAME', 'canary\r\nbcc'],
  ['SMTP_URL', 'https://mail.example.com'],
  ['SMTP_URL', 'smtp:ada:canary@mail.example.com'],
  ['SMTP_URL', 'smtp://'],
  ['SMTP_URL', 'smtp:///canary'],
  ['SMTP_URL', 'smtp://ada:canary%ff@mail.example.com'],
  ['SMTP_URL', 'smtp://ada:canary@mail.example.com?requireTLS=false'],
  ['SMTP_URL', 'smtps://mail.example.com/?tls.rejectUnauthorized=false'],
  ['MAIL_FROM', 'no-address'],
  ['MAIL_FROM', '@x'],
  ['MAIL_FROM', ' @ '],
  ['MAIL_FROM', 'Canary <auth@example.com'],
  ['ADMIN_EMAIL', 'canary'],
  ['ADMIN_PASSWORD', 'canary'],
  ['SIGN_UP', 'yes'],
  ['AUDIT_RETENTION_DAYS', '-1'],
  ['AUDIT_RETENTION_DAYS', 'canary'],
  ['RATE_LIMIT', '-1'],
  ['RATE_LIMIT', 'many'],
  ['LOG_LEVEL', 'verbose'],
  ['PORT', ' 80'],
  ['PORT', '0x50'],
  ['HOST', 'http://localhost'],
  ['BETTER_AUTH_URL', 'http://10.0.0.1'],
  ['BETTER_AUTH_URL', 'http://127.0.0.1.example.com'],
  ['BETTER_AUTH_URL', 'http://0.0.0.0:3000'],
  ['BETTER_AUTH_URL', 'https://auth.example.com?x'],
  ['DIRECT_URL', 'mysql://localhost/x'],
  ['TRUSTED_ORIGINS', 'https://a.example.com/path'],
  ['TRUSTED_PROXIES', '*'],
  ['TRUSTED_PROXIES', '10.1'],
  ['TRUSTED_PROXIES', '::1/129'],
  ['JWT_TTL', '0m'],
  ['JWT_TTL', '1h'],
  ['JWT_SHARED_ISSUER', 'x'.repeat(201)],
  ['MAIL_FROM', 'a@example.com\r\nbcc: b@example.com'],
  ['ADMIN_PASSWORD', 'p'.repeat(129)],
  ['RATE_LIMIT', '1.5'],
]

/** Those that a process can have: no variable holds a zero byte. */
export const badInProcess = bad.filter(([, value]) => !value.includes('\0'))

/** All of those, as many at once as there are variables: of each the one of that turn, if it has so many. */
export function badRounds(): Record<string, string>[] {
  const rounds: Record<string, string>[] = []
  for (const [name, value] of badInProcess) {
    const round = rounds.find((each) => !(name in each))
    if (round) round[name] = value
    else rounds.push({ [name]: value })
  }
  return rounds
}
