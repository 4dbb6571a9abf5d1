import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { requestId } from './exchange.ts'

interface ProblemType {
  status: ContentfulStatusCode
  title: string
  /** What it means and what to do: the text of its page. */
  explanation: string
}

/** Every kind of error of `/api/v1`. The key is the last segment of its `type` URI. */
export const problemTypes = {
  'malformed-request': {
    status: 400,
    title: 'Malformed request',
    explanation:
      'The request could not be read: its JSON is broken, or it carries two credentials. Send one Authorization header and a valid JSON body.',
  },
  unauthenticated: {
    status: 401,
    title: 'Sign in first',
    explanation:
      'The request carries no credential. Send a bearer token from /api/auth/token, or the session cookie of a browser that is signed in.',
  },
  'invalid-token': {
    status: 401,
    title: 'Invalid token',
    explanation:
      'The token is not one that this service accepts here: it is damaged, was signed by somebody else, or is meant for another audience. Get a new one from /api/auth/token.',
  },
  'token-expired': {
    status: 401,
    title: 'Token expired',
    explanation:
      'The token was valid and has expired. Get a new one from /api/auth/token; the session may still be alive.',
  },
  'session-ended': {
    status: 401,
    title: 'Session ended',
    explanation:
      'The session behind the credential is over: signed out, revoked, expired, or its user deleted. Sign in again.',
  },
  banned: {
    status: 401,
    title: 'Banned',
    explanation: 'The user behind the credential is banned. An administrator can say why and lift the ban.',
  },
  forbidden: {
    status: 403,
    title: 'Forbidden',
    explanation:
      'The credential is good, but its role does not allow this, or the user acted upon has permissions that it lacks.',
  },
  'insufficient-scope': {
    status: 403,
    title: 'Insufficient scope',
    explanation: 'The access token was not granted the scope named in WWW-Authenticate. Ask for it when authorizing.',
  },
  csrf: {
    status: 403,
    title: 'Cross-site request refused',
    explanation:
      'A request that changes something with the session cookie must come from a trusted origin and send JSON. Set TRUSTED_ORIGINS, or send a bearer token.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    explanation: 'There is nothing at this address.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    explanation: 'The address exists, but not for this method. The Allow header lists those it takes.',
  },
  'request-timeout': {
    status: 408,
    title: 'Request timeout',
    explanation: 'The request did not arrive in time. Send its head within 10 seconds, and all of it within 15.',
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    explanation: 'The change contradicts what is there, for example an e-mail address that another user already has.',
  },
  'last-admin': {
    status: 409,
    title: 'Last admin',
    explanation: 'There must always be an active admin. Make another user an admin first.',
  },
  'self-action': {
    status: 409,
    title: 'Not on yourself',
    explanation: 'This cannot be done to the user who asks for it. Another administrator can.',
  },
  'payload-too-large': {
    status: 413,
    title: 'Payload too large',
    explanation: 'The body is larger than 64 KiB.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    explanation: 'The body must be JSON, sent with Content-Type: application/json.',
  },
  validation: {
    status: 422,
    title: 'Invalid input',
    explanation: 'A parameter or a field has a value that is not allowed. The member "errors" names each one.',
  },
  'weak-password': {
    status: 422,
    title: 'Weak password',
    explanation:
      'A password has 8 to 128 characters, and is not one that is tried first: a common one, the e-mail address, or the name of the service.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    explanation: 'Too many requests came from this address. Retry-After says in how many seconds to try again.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Headers too large',
    explanation:
      'The head of the request is larger than 16 KiB, or has more than 100 fields. Often there are too many cookies.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    explanation: 'Something failed on our side. The log has the reason under the request id, which X-Request-Id names.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    explanation: 'There is more work than the service can do right now. Retry-After says when to try again.',
  },
  'dependency-unavailable': {
    status: 503,
    title: 'Temporarily unavailable',
    explanation: 'The database did not answer in time. Nothing was changed; Retry-After says when to try again.',
  },
} as const satisfies Record<string, ProblemType>

export type ProblemSlug = keyof typeof problemTypes

/** The wire form of every error. @see RFC 9457 */
export const Problem = z
  .object({
    type: z.string().openapi({ example: '/problems/not-found' }),
    title: z.string().openapi({ example: 'Not found' }),
    status: z.int().openapi({ example: 404 }),
    detail: z.string().openapi({ example: 'There is no user with this id.' }),
    instance: z.string().openapi({ description: 'The request id', example: '0f8fad5b-d9cb-469f-a165-70867728950e' }),
    errors: z
      .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), detail: z.string() }))
      .optional()
      .openapi({ description: 'Of a validation problem: each fault, by JSON pointer into the body or by parameter' }),
  })
  .openapi('Problem')

export type FieldError = NonNullable<z.infer<typeof Problem>['errors']>[number]

interface ProblemOptions {
  headers?: Record<string, string>
  errors?: FieldError[]
  /** Logged, never sent. */
  cause?: unknown
}

/** The one error that handlers throw. `detail` is sent to the caller; without one the type's explanation is. */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly slug: ProblemSlug
  readonly status: ContentfulStatusCode
  readonly headers: Record<string, string>
  readonly errors: FieldError[] | undefined

  constructor(slug: ProblemSlug, detail?: string, { headers = {}, errors, cause }: ProblemOptions = {}) {
    const message = detail ?? problemTypes[slug].explanation
    // Where it was thrown tells nothing that its cause does not, and costs more than all else of a refusal.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message, { cause })
    Error.stackTraceLimit = stackTraceLimit
    this.slug = slug
    this.status = problemTypes[slug].status
    this.headers = { ...defaultHeaders(slug), ...headers }
    this.errors = errors
  }
}

// RFC 6750 section 3: a challenge with each 401, with an error code only when a token was presented.
function defaultHeaders(slug: ProblemSlug): Record<string, string> {
  const { status } = problemTypes[slug]
  if (slug === 'unauthenticated') return { 'www-authenticate': 'Bearer' }
  if (status === 401) return { 'www-authenticate': 'Bearer error="invalid_token"' }
  // RFC 9110 section 15.5.16
  if (status === 415) return { accept: 'application/json' }
  if (status === 503) return { 'retry-after': '1' }
  return {}
}

const maxErrors = 20

/** A validation problem: `detail` tells the first fault, `errors` each one, within reason. */
export function invalid(...errors: FieldError[]): ProblemError {
  const [first] = errors
  // The pointer to the whole body is empty, and so may be the name of a parameter.
  const at = first?.parameter || first?.pointer
  const detail = first && at ? `${at}: ${first.detail}` : first?.detail
  return new ProblemError('validation', detail, { errors: errors.slice(0, maxErrors) })
}

export const problemContentType = 'application/problem+json'

/** Answers with a problem. */
export function problemResponse(c: Context, problem: ProblemError): Response {
  const headers = { ...problem.headers, 'content-type': problemContentType }
  return c.body(problemBody(problem, requestId(c)), problem.status, headers)
}

/** A problem as JSON. @see RFC 9457 section 3 */
export function problemBody({ slug, status, message, errors }: ProblemError, instance: string): string {
  const body: z.infer<typeof Problem> = {
    type: `/problems/${slug}`,
    title: problemTypes[slug].title,
    status,
    detail: message,
    instance,
    ...(errors && { errors }),
  }
  return JSON.stringify(body)
}

/** The `responses` of an operation for the problems it may answer with. Several with one status are listed together. */
export function problems(...slugs: ProblemSlug[]) {
  const responses: Record<
    number,
    { description: string; content: { 'application/problem+json': { schema: typeof Problem } } }
  > = {}
  for (const slug of slugs) {
    const { status } = problemTypes[slug]
    const described = responses[status] ? `${responses[status].description}, \`${slug}\`` : `\`${slug}\``
    responses[status] = { description: described, content: { 'application/problem+json': { schema: Problem } } }
  }
  return responses
}
