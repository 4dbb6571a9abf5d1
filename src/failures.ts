import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { oauthPaths, oauthRefusal } from './auth/oauth/forms.ts'
import { databaseFailure } from './db/failure.ts'
import { type Env, exchangeOf } from './http/exchange.ts'
import { ProblemError, type ProblemSlug, problemResponse } from './http/problem.ts'
import type { Log } from './log.ts'

// The rules of migrations/ by name: what breaking one means on either door.
const constraints: Record<string, { slug: ProblemSlug; code: string; detail: string }> = {
  last_admin: { slug: 'last-admin', code: 'LAST_ADMIN', detail: 'There must always be an active admin.' },
  user_banned: { slug: 'banned', code: 'BANNED_USER', detail: 'The user is banned.' },
  // Who was deleted while they were being signed in.
  session_user_id_fkey: { slug: 'session-ended', code: 'UNAUTHORIZED', detail: 'The user is no more.' },
  user_role_known: { slug: 'validation', code: 'UNKNOWN_ROLE', detail: 'There is no such role.' },
  user_email_key: { slug: 'conflict', code: 'USER_ALREADY_EXISTS', detail: 'Another user has this e-mail address.' },
  account_provider_account_key: {
    slug: 'conflict',
    code: 'ACCOUNT_ALREADY_LINKED',
    detail: 'This identity is linked already.',
  },
}

/** Any error as the problem that a caller may see. What is not recognised is `internal` and tells nothing. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (error instanceof HTTPException && error.status === 400) {
    return new ProblemError('malformed-request', 'The body is not valid JSON.', { cause: error })
  }
  const failure = databaseFailure(error)
  const constraint = constraintIn(failure)
  if (constraint) return new ProblemError(constraint.slug, constraint.detail, { cause: error })
  if (failure?.kind === 'unavailable') return new ProblemError('dependency-unavailable', undefined, { cause: error })
  if (failure?.kind === 'invalid') {
    return new ProblemError('validation', 'The input holds characters that cannot be stored.', { cause: error })
  }
  return new ProblemError('internal', undefined, { cause: error })
}

function constraintIn(failure: ReturnType<typeof databaseFailure>) {
  return failure?.kind === 'constraint' ? constraints[failure.constraint] : undefined
}

/** The one place where an error becomes a response: a problem, or Better-Auth's `{code, message}` under `/api/auth`. */
export function errorHandler(log: Log, page?: (c: Context, problem: ProblemError) => Response | Promise<Response>) {
  const tell = failureTeller(log)
  return (error: Error, c: Context): Response | Promise<Response> => {
    const problem = toProblem(error)
    const { id, route } = exchangeOf(c)
    // What was refused on purpose, as while starting, is no failure; nor is a client that goes before it was answered.
    const isFailure = problem.status >= 500 && (problem !== error || problem.cause !== undefined) && !hasLeft(c)
    if (isFailure) tell(problem, { requestId: id, route, err: problem.cause ?? error })
    if (page && isForPeople(c)) return page(c, problem)
    // Where a provider leads people back to, with a page that says what to do.
    if (c.req.path.startsWith('/api/auth/callback/') && problem.slug !== 'not-found') {
      const { connection } = problem.headers
      if (connection !== undefined) c.header('connection', connection)
      return c.redirect(`/error?error=${problem.slug}`, 303)
    }
    return c.req.path.startsWith('/api/auth/') ? authResponse(c, error, problem) : problemResponse(c, problem)
  }
}

// In an outage every request fails for the same reason.
const outageLineEveryMs = 10_000

/** Logs failures of ours: each, but of an outage one in ten seconds, with how many there were since the line before. */
function failureTeller(log: Log) {
  const outages = new Map<ProblemSlug, { at: number; omitted: number }>()
  return (
    { slug, status }: ProblemError,
    about: { requestId: string; route: string | undefined; err: unknown },
  ): void => {
    if (status !== 503) return log.error(about, slug)
    const last = outages.get(slug)
    if (last && performance.now() - last.at < outageLineEveryMs) {
      last.omitted++
      return
    }
    outages.set(slug, { at: performance.now(), omitted: 0 })
    log.error({ ...about, ...(last && { sinceLast: last.omitted }) }, slug)
  }
}

/** Whether a person looks at what is answered, and no program. */
function isForPeople(c: Context): boolean {
  return !c.req.path.startsWith('/api/') && /\btext\/html\b/.test(c.req.header('accept') ?? '')
}

function hasLeft(c: Context): boolean {
  const { incoming } = c.env as Env['Bindings']
  return incoming.destroyed && !incoming.complete
}

function authResponse(c: Context, error: Error, problem: ProblemError): Response {
  if (oauthPaths.has(c.req.path)) return oauthRefusal(c, problem)
  const code = constraintIn(databaseFailure(error))?.code ?? problem.slug.replaceAll('-', '_').toUpperCase()
  // Better-Auth answers a ban with 403: there is no session yet that could be over.
  const status = problem.slug === 'banned' ? 403 : problem.status
  return c.body(JSON.stringify({ code, message: problem.message }), status, {
    ...(problem.status === 401 ? {} : problem.headers),
    'content-type': 'application/json',
  })
}
