import { existsSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Config } from '../config.ts'
import { freeBytes } from '../db/free-bytes.ts'
import { isLoopback, isPrivate } from '../http/loopback.ts'
import { hasKeptSecret } from '../kept-secret.ts'
import { type Finding, findingsOf } from './finding.ts'

/** The oldest Node that the service runs on, as in `package.json`. */
export const oldestNode = '20.19'

const gigabyte = 1e9
const leastFree = { problem: 0.1 * gigabyte, warning: gigabyte }

/**
 * What can be told of the configuration and the machine at once, without asking anybody: at start, and by the doctor. On a
 * loopback host, where one develops, next to nothing of it matters.
 * @param nodeVersion such as `20.19.0`
 * @param envFile from which settings are read, if it is there
 */
export function settingsFindings(config: Config, nodeVersion = process.versions.node, envFile = '.env'): Finding[] {
  return [
    node(nodeVersion),
    processes(config),
    ...environment(config, envFile),
    ...(config.database ? [databaseTls(config.database)] : [durability(config), keptSecret(config)]),
    ...(config.database ? [] : disk(config.dataDir)),
    trustedProxies(config),
    trustedOrigins(config),
    rateLimit(config),
    logLevel(config),
    ...(config.smtp ? [] : [noMail(config)]),
  ]
}

function node(version: string): Finding {
  const { ok, problem } = findingsOf('node')
  const [[major = 0, minor = 0], [oldestMajor = 0, oldestMinor = 0]] = [version, oldestNode].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]]
  const isOld = major < oldestMajor || (major === oldestMajor && minor < oldestMinor)
  return isOld
    ? problem(`Node ${version} is too old`, `Run it with Node ${oldestNode} or later`)
    : ok(`Node ${version}`)
}

function processes({ workers }: Config): Finding {
  const { ok, warning } = findingsOf('processes')
  const cores = availableParallelism()
  if (workers <= cores) return ok(`${workers} of ${cores} cores take requests`)
  return warning(
    `there are ${workers} workers and ${cores} cores`,
    `Set WEB_CONCURRENCY to ${Math.max(1, cores - 1)}: one core is for passwords`,
  )
}

/** None where there is no such file. */
function environment({ isLoopback: isLocal }: Config, file: string): Finding[] {
  const { ok, warning } = findingsOf('environment')
  if (!existsSync(file)) return []
  const isOpen = (statSync(file).mode & 0o007) !== 0
  if (isLocal || !isOpen) return [ok('settings are read from .env')]
  return [warning('everybody on this machine can read the secrets in .env', 'chmod o= .env')]
}

function databaseTls({ url, directUrl }: NonNullable<Config['database']>): Finding {
  const { ok, warning } = findingsOf('database-tls')
  const ways = [url, directUrl ?? url].map(wayTo)
  const mend = 'Add sslmode=verify-full to DATABASE_URL and DIRECT_URL, unless the network itself encrypts'
  if (ways.includes('plain')) return warning('what is sent to the database is not encrypted', mend)
  if (ways.includes('unchecked')) return warning('the certificate of the database is not checked', mend)
  if (ways.includes('checked')) return ok('the connection to the database is encrypted, and its certificate is checked')
  return ok('the database is on this machine')
}

/** What protects what is sent to a database. */
function wayTo(url: string): 'here' | 'plain' | 'unchecked' | 'checked' {
  const { hostname, searchParams } = new URL(url)
  const host = searchParams.get('host') ?? decodeURIComponent(hostname)
  if (host === '' || host.startsWith('/') || isLoopback(host)) return 'here'
  const mode = searchParams.get('sslmode') ?? (/^(1|true)$/.test(searchParams.get('ssl') ?? '') ? 'require' : 'disable')
  if (mode === 'disable') return 'plain'
  const isUnchecked =
    mode === 'no-verify' || (searchParams.get('uselibpqcompat') === 'true' && /prefer|require/.test(mode))
  return isUnchecked ? 'unchecked' : 'checked'
}

function durability({ isLoopback: isLocal }: Config): Finding {
  const { ok, warning } = findingsOf('embedded-database')
  if (isLocal) return ok('the embedded database serves this machine')
  return warning(
    'the embedded database does not flush to disk after each write, and allows one process only',
    'Set DATABASE_URL to a PostgreSQL, or accept that the loss of power may cost the last writes',
  )
}

function keptSecret({ secret, secrets, dataDir, isLoopback: isLocal }: Config): Finding {
  const { ok, warning } = findingsOf('secret')
  if (secret !== undefined) return ok('the secret is set')
  if (secrets.length > 0) {
    if (!hasKeptSecret(dataDir)) return ok('the secrets are set')
    const what = 'the secret that is kept in DATA_DIR is trusted beside those of BETTER_AUTH_SECRETS'
    if (isLocal) return ok(what)
    return warning(
      what,
      'Remove the file "secret" of DATA_DIR a quarter after the change, when the sessions and keys of that secret are over',
    )
  }
  if (isLocal) return ok('the secret is kept in DATA_DIR')
  return warning(
    'the secret is kept beside the database that it protects',
    'Set BETTER_AUTH_SECRET to what is in the file "secret" of DATA_DIR, and keep that elsewhere',
  )
}

/** None for a folder that is not there yet. */
function disk(folder: string): Finding[] {
  const { ok, warning, problem } = findingsOf('disk')
  if (!existsSync(folder)) return []
  const free = freeBytes(folder)
  const what = `${(free / gigabyte).toFixed(1)} GB are free where DATA_DIR is`
  const mend = 'Make room, or move DATA_DIR: a full disk stops all writes'
  if (free < leastFree.problem) return [problem(what, mend)]
  return [free < leastFree.warning ? warning(what, mend) : ok(what)]
}

function trustedProxies({ trustedProxies: ranges, baseUrl }: Config): Finding {
  const { ok, warning, problem } = findingsOf('trusted-proxies')
  if (ranges.some(([, bits]) => bits === 0))
    return problem(
      'TRUSTED_PROXIES holds every address: anybody can choose the one that limits count',
      'Name the addresses of your proxies only',
    )
  if (ranges.length > 0) return ok(`${ranges.length} addresses or ranges of proxies are trusted`)
  if (!baseUrl.startsWith('https:')) return ok('no proxy is trusted')
  return warning(
    'a proxy must stand before this service, as BETTER_AUTH_URL is https, and TRUSTED_PROXIES names none',
    'Set TRUSTED_PROXIES to its address: until then all people share the limits of one address',
  )
}

function trustedOrigins({ trustedOrigins: origins }: Config): Finding {
  const { ok, warning } = findingsOf('trusted-origins')
  const open = origins.find((origin) => !isPrivate(new URL(origin)))
  if (open === undefined) return ok(`trusted: ${origins.join(', ')}`)
  return warning(
    `${open} is trusted, and anybody on the way can change what is there`,
    'Serve that front end by https, and change TRUSTED_ORIGINS or FRONTEND_URL',
  )
}

function rateLimit({ rateLimit: perMinute }: Config): Finding {
  const { ok } = findingsOf('rate-limit')
  return ok(perMinute > 0 ? `${perMinute} requests a minute and address` : 'limits are off, on this machine only')
}

function logLevel({ logLevel: level, isLoopback: isLocal }: Config): Finding {
  const { ok, warning } = findingsOf('log-level')
  if (isLocal || !['trace', 'debug'].includes(level)) return ok(`the log level is ${level}`)
  return warning(`the log level is ${level}: that is for development`, 'Set LOG_LEVEL to info')
}

function noMail({ isLoopback: isLocal }: Config): Finding {
  const { ok, warning } = findingsOf('mail')
  if (isLocal) return ok('mail goes to the log')
  return warning(
    'without SMTP no password can be reset by mail, addresses are not confirmed, and nobody is told of changes',
    'Set SMTP_URL and MAIL_FROM',
  )
}
