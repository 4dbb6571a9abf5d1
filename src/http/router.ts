import { OpenAPIHono } from '@hono/zod-openapi'
import type { ZodError } from 'zod'
import type { Env } from './exchange.ts'
import { wordsFor } from './fault-words.ts'
import { type FieldError, invalid, type ProblemError } from './problem.ts'

type Target = 'json' | 'query' | 'param' | 'header' | 'cookie' | 'form'

/**
 * A router whose validation failures become `validation` problems that name each field or parameter.
 * @param options those of Hono
 */
export function createRouter(options?: ConstructorParameters<typeof OpenAPIHono>[0]): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    ...options,
    defaultHook: (result, c) => {
      if (!result.success) throw validationProblem(result.error, result.target as Target)
      if (result.target === 'query') assertReadable(new URL(c.req.url).search)
    },
  })
}

/** What no schema sees as it was sent: a parameter without a name is dropped, as in `?=1`, and `%FF` is taken for itself. */
function assertReadable(query: string): void {
  if (/^\?=|&=/.test(query)) throw invalid({ parameter: '', detail: 'a parameter has no name' })
  for (const [name = '', ...value] of query
    .slice(1)
    .split('&')
    .map((pair) => pair.split('='))) {
    if (!isDecodable(value.join('='))) throw invalid({ parameter: name, detail: 'is not UTF-8, percent-encoded' })
  }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The faults of a schema as a problem: JSON pointers into the body (RFC 6901), names for parameters. */
export function validationProblem(error: Pick<ZodError, 'issues'>, target: Target): ProblemError {
  const errors = error.issues.flatMap((issue): FieldError[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ ...place(target, [...issue.path, key]), detail: 'is not known' }))
    }
    return [{ ...place(target, issue.path), detail: wordsFor(issue, { isQuery: target === 'query' }) }]
  })
  return invalid(...errors)
}

function place(target: Target, path: readonly PropertyKey[]): { pointer: string } | { parameter: string } {
  const segments = path.map((segment) => printable(String(segment)))
  if (target !== 'json') return { parameter: segments.join('.') }
  return { pointer: segments.map((s) => `/${s.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('') }
}

// What a caller sent comes back only in short and without control characters.
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '\uFFFD').slice(0, 100)
}
