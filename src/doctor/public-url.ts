import { isIP } from 'node:net'
import { scrub } from '../log.ts'
import { type Answer, ask, jsonOf } from './ask.ts'
import { clockFinding } from './clock.ts'
import { type Finding, findingsOf } from './finding.ts'

const dayMs = 86_400_000
const soonMs = 14 * dayMs

/** What is to be seen at the public URL. */
export interface Observed {
  findings: Finding[]
  /** Whether it is this service that answers there. */
  isOurs: boolean
}

/**
 * Looks at the public URL from outside: who answers, by a key that the database holds, over which TLS, and what a proxy
 * makes of the answers.
 * @param keyIds the ids of the signing keys in the database; undefined where that cannot be asked
 */
export async function publicUrlFindings(baseUrl: string, keyIds: ReadonlySet<string> | undefined): Promise<Observed> {
  let keys: Answer
  let health: Answer[]
  try {
    keys = await ask(`${baseUrl}/api/auth/jwks`)
    health = [await ask(`${baseUrl}/health/ready`), await ask(`${baseUrl}/health/ready`)]
  } catch (error) {
    return { findings: [unreachable(baseUrl, error)], isOurs: false }
  }
  const whose = identity(baseUrl, keys, keyIds)
  if (whose.level === 'problem') return { findings: [whose], isOurs: false }
  return {
    findings: [
      whose,
      readiness(health),
      caching(health),
      ...(keys.certificate
        ? [certificate(keys.certificate), hsts(keys), await unencryptedFindings(baseUrl)].flat()
        : []),
      ...date(baseUrl, health),
    ],
    isOurs: whose.level === 'ok',
  }
}

function unreachable(baseUrl: string, error: unknown): Finding {
  const { problem } = findingsOf('public-url')
  const { code = '', message } = error as NodeJS.ErrnoException
  const isOfTls = /CERT|TLS|SSL|UNABLE_TO|SELF_SIGNED|EPROTO/.test(code)
  if (isOfTls) {
    return problem(
      `the TLS of ${baseUrl} is not good: ${scrub(message.split('\n')[0] ?? '')} (${code})`,
      'Give the proxy a valid certificate for that name, with its chain',
    )
  }
  const mend = /ENOTFOUND|EAI_AGAIN/.test(code)
    ? 'Let the name lead here, or set BETTER_AUTH_URL to the one that does'
    : 'Start the service, and let that URL lead to it'
  return problem(`${baseUrl} cannot be reached: ${code || scrub(message)}`, mend)
}

/** Whose keys are published there. */
function identity(baseUrl: string, answer: Answer, keyIds: ReadonlySet<string> | undefined): Finding {
  const { ok, warning, problem } = findingsOf('public-url')
  if (answer.status >= 300 && answer.status < 400) {
    const target = originOf(answer.headers.location, baseUrl)
    return problem(`${baseUrl} redirects to ${target}`, 'Set BETTER_AUTH_URL to the URL that answers itself')
  }
  if (answer.status >= 500 || answer.status === 429) {
    const what = `${baseUrl} answers with ${answer.status}`
    return problem(what, 'Wait until the service is ready; then see its log, and that of the proxy')
  }
  const published = publishedIds(answer)
  if (published === undefined) {
    const what = `what answers at ${baseUrl} is not this service (status ${answer.status})`
    return problem(what, 'Let that URL lead to this service, with all of its paths')
  }
  if (keyIds === undefined) {
    return warning(
      `a service answers at ${baseUrl}; whether it is this one only its database tells`,
      'Mend the database first',
    )
  }
  if (published.some((id) => keyIds.has(id))) return ok(`this service answers at ${baseUrl}`)
  return problem(
    `another service answers at ${baseUrl}: its keys are not in this database`,
    'Check BETTER_AUTH_URL, DATABASE_URL, and where the proxy leads',
  )
}

/** The ids of the keys in a JWKS; undefined when it is none. @see RFC 7517 section 5 */
function publishedIds(answer: Answer): string[] | undefined {
  const set = answer.status === 200 ? jsonOf(answer) : undefined
  const { keys } = (typeof set === 'object' && set !== null ? set : {}) as { keys?: unknown }
  if (!Array.isArray(keys)) return undefined
  return keys.map((key) => String((key as { kid?: unknown } | null)?.kid))
}

function originOf(location: string | undefined, baseUrl: string): string {
  return location !== undefined && URL.canParse(location, baseUrl) ? new URL(location, baseUrl).origin : 'elsewhere'
}

function readiness(answers: Answer[]): Finding {
  const { ok, problem } = findingsOf('ready')
  const failed = answers.find(({ status }) => status !== 200)
  if (!failed) return ok('it takes requests')
  return problem(
    `/health/ready is answered with ${failed.status}`,
    'See the log of the service, and whether the proxy passes /health on',
  )
}

/** Each answer has an id of its own. */
function caching([first, second]: Answer[]): Finding {
  const { ok, warning, problem } = findingsOf('caching')
  const isOld = [first, second].some((answer) => Number(answer?.headers['age'] ?? 0) > 0)
  const id = first?.headers['x-request-id']
  if (isOld || (id !== undefined && id === second?.headers['x-request-id']))
    return problem(
      'something on the way keeps answers that say no-store: one person may be shown what is another’s',
      'Let the proxy cache nothing but what says so',
    )
  if (id !== undefined) return ok('answers are not cached')
  return warning(
    'whether answers are cached could not be seen: X-Request-Id does not arrive',
    'Let the proxy pass it on: it also leads from an error to its line in the log',
  )
}

function certificate({ from, to }: NonNullable<Answer['certificate']>): Finding {
  const { ok, warning } = findingsOf('certificate')
  const leftMs = to - Date.now()
  const what = `the certificate ends on ${new Date(to).toISOString().slice(0, 10)}`
  if (leftMs > Math.min(soonMs, (to - from) / 4)) return ok(what)
  return warning(`${what}, in ${Math.floor(leftMs / dayMs)} days`, 'See that it is renewed by itself')
}

function hsts({ headers }: Answer): Finding {
  const { ok, warning } = findingsOf('hsts')
  const maxAge = /max-age="?(\d+)/i.exec(headers['strict-transport-security'] ?? '')?.[1]
  if (Number(maxAge) > 0) return ok('browsers are told to come by https only')
  return warning('Strict-Transport-Security does not arrive', 'Let the proxy pass it on as it is')
}

/** What is answered without TLS at a public URL with it; nothing where that is at a port of its own. */
export async function unencryptedFindings(baseUrl: string): Promise<Finding[]> {
  const { ok, warning } = findingsOf('http')
  const { hostname, port } = new URL(baseUrl)
  if (port !== '') return []
  const answer = await ask(`http://${hostname}/health`).catch(() => undefined)
  const target = answer?.status !== undefined && answer.status < 400 && answer.status >= 300 && answer.headers.location
  if (!answer || answer.status >= 400) return [ok('nothing is answered without TLS')]
  if (target && originOf(target, 'http://invalid').startsWith('https:')) return [ok('http leads to https')]
  return [warning(`http://${hostname} is answered without TLS, too`, 'Let the proxy redirect it to https')]
}

/** Where the header is missing nothing can be said. It tells whole seconds. */
function date(baseUrl: string, answers: Answer[]): Finding[] {
  const answer = answers.at(-1)
  const told = Date.parse(answer?.headers.date ?? '')
  if (!answer || Number.isNaN(told)) return []
  const { hostname } = new URL(baseUrl)
  const whose = isIP(hostname) || hostname === 'localhost' ? 'the public URL' : hostname
  return [clockFinding('clock', whose, { from: told, to: told + 999 }, { from: answer.sentAt, to: answer.heardAt })]
}
