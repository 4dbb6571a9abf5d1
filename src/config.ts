import { z } from 'zod'
import { isLoopback } from './http/loopback.ts'
import { Password } from './resources/password.ts'
import { Email } from './resources/profile.ts'
import { NumberedSecrets, Secret } from './secret.ts'
import {
  addressRange,
  givenText,
  issuer,
  list,
  oneOf,
  origin,
  postgresUrl,
  publicUrl,
  sender,
  smtpUrl,
  wholeNumber,
} from './setting-values.ts'
import { strayVariables } from './stray-variables.ts'

/** The settings are not usable; the message lists every fault by variable and shows no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly faults: readonly string[]
  constructor(faults: string[]) {
    super(`The configuration is not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

/** The longest life of a JWT that may be configured. */
export const maxJwtTtlSeconds = 3_600

export type Config = ReturnType<typeof parseConfig>

const EnvSchema = z.object({
  PORT: wholeNumber(65_535, 'is not a port (1 to 65535)').optional(),
  HOST: z
    .string()
    .regex(/^[\w.:-]+$/, 'is not a host name or address')
    .optional(),
  BETTER_AUTH_URL: publicUrl.optional(),
  BETTER_AUTH_SECRET: Secret.optional(),
  BETTER_AUTH_SECRETS: NumberedSecrets.default([]),
  DATABASE_URL: postgresUrl.optional(),
  DIRECT_URL: postgresUrl.optional(),
  DATA_DIR: z.string().default('.data'),
  TRUSTED_ORIGINS: z.string().transform(list).pipe(z.array(origin)).default([]),
  FRONTEND_URL: origin.optional(),
  TRUSTED_PROXIES: z.string().transform(list).pipe(z.array(addressRange)).default([]),
  JWT_ALGORITHM: oneOf('RS256', 'ES256', 'EdDSA').default('RS256'),
  JWT_TTL: z
    .string()
    .regex(/^[1-9]\d{0,3}[sm]$/, 'is not a duration such as 15m or 900s')
    .transform((text) => Number.parseInt(text, 10) * (text.endsWith('m') ? 60 : 1))
    .refine((seconds) => seconds >= 30 && seconds <= maxJwtTtlSeconds, 'must be between 30s and 60m')
    .default(900),
  JWT_SHARED_SECRET: Secret.optional(),
  JWT_SHARED_ISSUER: z.string().max(200, 'must have at most 200 characters').optional(),
  GOOGLE_CLIENT_ID: givenText.optional(),
  GOOGLE_CLIENT_SECRET: givenText.optional(),
  GITHUB_CLIENT_ID: givenText.optional(),
  GITHUB_CLIENT_SECRET: givenText.optional(),
  OIDC_ISSUER: issuer.optional(),
  OIDC_CLIENT_ID: givenText.optional(),
  OIDC_CLIENT_SECRET: givenText.optional(),
  OIDC_NAME: z
    .string()
    .regex(/^[^\p{C}]{1,50}$/u, 'must have 1 to 50 characters, none of them a control character')
    .optional(),
  SMTP_URL: smtpUrl.optional(),
  MAIL_FROM: sender.optional(),
  ADMIN_EMAIL: Email.optional(),
  ADMIN_PASSWORD: Password.optional(),
  SIGN_UP: oneOf('open', 'closed').default('open'),
  RATE_LIMIT: z
    .string()
    .regex(/^\d{1,7}$/, 'is not a number of requests a minute')
    .transform(Number)
    .default(6_000),
  AUDIT_RETENTION_DAYS: z
    .string()
    .regex(/^\d{1,5}$/, 'is not a number of days, or 0 to keep all')
    .transform(Number)
    .default(400),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info'),
  WEB_CONCURRENCY: wholeNumber(64, 'must be a whole number from 1 to 64').default(1),
})

/** Every variable that the service reads. `.env.example` lists the same ones. */
export const variables = EnvSchema.keyof().options
type Variable = (typeof variables)[number]

type Settings = z.infer<typeof EnvSchema>

// What only makes sense together. Given the first, the other is needed.
const companions: [Variable, Variable][] = [
  ['DATABASE_URL', 'BETTER_AUTH_URL'],
  ['DIRECT_URL', 'DATABASE_URL'],
  ...allOf('JWT_SHARED_SECRET', 'JWT_SHARED_ISSUER'),
  ...allOf('GOOGLE_CLIENT_ID', 'GOOGLE_CLIENT_SECRET'),
  ...allOf('GITHUB_CLIENT_ID', 'GITHUB_CLIENT_SECRET'),
  ...allOf('OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'),
  ['OIDC_NAME', 'OIDC_ISSUER'],
  ['SMTP_URL', 'MAIL_FROM'],
  ...allOf('ADMIN_EMAIL', 'ADMIN_PASSWORD'),
]

/** Each of the variables, with each of the others. */
function allOf(...names: Variable[]): [Variable, Variable][] {
  return names.flatMap((name) => names.filter((other) => other !== name).map((other) => [name, other]))
}

/**
 * Turns environment variables into the configuration. Pure but for a look at the certificates that a URL names; an empty value
 * counts as absent.
 * @throws ConfigError naming every fault at once, and no value
 */
export function parseConfig(env: Record<string, string | undefined>) {
  const given = Object.fromEntries(variables.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
  const faults = strayVariables(env, variables)
  for (const [name, needed] of companions) {
    if (given[name] && !given[needed]) faults.push(`${needed}: is missing, but ${name} is set`)
  }
  if (given['DATABASE_URL'] && !given['BETTER_AUTH_SECRET'] && !given['BETTER_AUTH_SECRETS'])
    faults.push('BETTER_AUTH_SECRET: is missing, but DATABASE_URL is set')
  if (given['JWT_SHARED_SECRET'] && sharesSecret(given['JWT_SHARED_SECRET'], given))
    faults.push('JWT_SHARED_SECRET: must be another than BETTER_AUTH_SECRET, which nobody else may know')
  const workers = EnvSchema.shape.WEB_CONCURRENCY.safeParse(given['WEB_CONCURRENCY']).data ?? 1
  if (workers > 1 && !given['DATABASE_URL'])
    faults.push('WEB_CONCURRENCY: must be 1 without DATABASE_URL: one process only may open the embedded database')
  const parsed = EnvSchema.safeParse(given)
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`))
  for (const name of ['JWT_SHARED_ISSUER', 'OIDC_ISSUER'] as const) {
    if (parsed.success && parsed.data[name] === `${baseUrlOf(parsed.data)}/api/auth`)
      faults.push(`${name}: must not be this service itself`)
  }
  if (parsed.success && parsed.data.RATE_LIMIT === 0 && !isLoopback(new URL(baseUrlOf(parsed.data)).hostname))
    faults.push('RATE_LIMIT: must not be 0 where BETTER_AUTH_URL is no loopback host: passwords could be guessed')
  if (!parsed.success || faults.length > 0) throw new ConfigError([...new Set(faults)])
  return toConfig(parsed.data)
}

/** Whether what is told to a front end is one of our own secrets, or holds one. */
function sharesSecret(shared: string, { BETTER_AUTH_SECRET: one, BETTER_AUTH_SECRETS: several }: Given): boolean {
  const own = [one, ...(several ?? '').split(',').map((entry) => entry.slice(entry.indexOf(':') + 1))]
  return own.some((secret) => secret && (secret.includes(shared) || shared.includes(secret)))
}

type Given = { [Name in Variable]?: string }

const defaultPort = 3000

function baseUrlOf({ BETTER_AUTH_URL, PORT = defaultPort }: Settings): string {
  return BETTER_AUTH_URL ?? `http://localhost:${PORT}`
}

function toConfig(s: Settings) {
  const port = s.PORT ?? defaultPort
  const baseUrl = baseUrlOf(s)
  return {
    port,
    /** Whether the port may be another one when it is taken. */
    portIsFixed: s.PORT !== undefined || s.BETTER_AUTH_URL !== undefined || s.DATABASE_URL !== undefined,
    host: s.HOST ?? (s.DATABASE_URL ? '0.0.0.0' : '127.0.0.1'),
    baseUrl,
    isLoopback: isLoopback(new URL(baseUrl).hostname),
    /** Undefined only with the embedded database, which keeps one of its own in `dataDir`. */
    secret: s.BETTER_AUTH_SECRET,
    /** The current one first; empty where there is only the one above. */
    secrets: s.BETTER_AUTH_SECRETS,
    dataDir: s.DATA_DIR,
    database: s.DATABASE_URL ? { url: s.DATABASE_URL, directUrl: s.DIRECT_URL } : undefined,
    trustedOrigins: [...new Set([baseUrl, ...s.TRUSTED_ORIGINS, ...(s.FRONTEND_URL ? [s.FRONTEND_URL] : [])])],
    trustedProxies: s.TRUSTED_PROXIES,
    jwt: {
      algorithm: s.JWT_ALGORITHM,
      ttlSeconds: s.JWT_TTL,
      shared:
        s.JWT_SHARED_SECRET && s.JWT_SHARED_ISSUER
          ? { secret: s.JWT_SHARED_SECRET, issuer: s.JWT_SHARED_ISSUER }
          : undefined,
    },
    google: provider(s.GOOGLE_CLIENT_ID, s.GOOGLE_CLIENT_SECRET),
    github: provider(s.GITHUB_CLIENT_ID, s.GITHUB_CLIENT_SECRET),
    oidc: openIdProvider(s),
    smtp: s.SMTP_URL && s.MAIL_FROM ? { url: s.SMTP_URL, from: s.MAIL_FROM } : undefined,
    admin: s.ADMIN_EMAIL && s.ADMIN_PASSWORD ? { email: s.ADMIN_EMAIL, password: s.ADMIN_PASSWORD } : undefined,
    signUpOpen: s.SIGN_UP === 'open',
    rateLimit: s.RATE_LIMIT,
    /** For how many days the audit log is kept; 0 for ever. */
    auditRetentionDays: s.AUDIT_RETENTION_DAYS,
    logLevel: s.LOG_LEVEL,
    /** How many processes share the port: more than one only with PostgreSQL. */
    workers: s.WEB_CONCURRENCY,
  }
}

function provider(clientId: string | undefined, clientSecret: string | undefined) {
  return clientId && clientSecret ? { clientId, clientSecret } : undefined
}

/** Without a name it is called after its host. */
function openIdProvider({ OIDC_ISSUER: issuer, OIDC_NAME: name, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET }: Settings) {
  const client = provider(OIDC_CLIENT_ID, OIDC_CLIENT_SECRET)
  return issuer && client ? { ...client, issuer, name: name ?? new URL(issuer).hostname } : undefined
}
