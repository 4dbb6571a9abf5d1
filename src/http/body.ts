import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { Env } from './exchange.ts'
import { ProblemError } from './problem.ts'

const maxBodyBytes = 64 * 1024

const limitBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError: () => {
    // The rest is not read, so the connection cannot be used again.
    throw new ProblemError('payload-too-large', undefined, { headers: { connection: 'close' } })
  },
})

/** Whether the request says that a body follows. */
export function announcesBody(header: (name: string) => string | undefined): boolean {
  return header('transfer-encoding') !== undefined || Number(header('content-length') ?? 0) !== 0
}

/**
 * Refuses a body over 64 KiB, or one that is not UTF-8, before anything parses it: a parser would put U+FFFD for what it
 * cannot read. Handlers read it from the context, which keeps it, not from the native request.
 * Runs only where one is announced: looking at the native request costs two thirds of the throughput of a GET.
 */
export const limitedBody = createMiddleware<Env>((c, next) => {
  if (!announcesBody((name) => c.req.header(name))) {
    // Many clients name a type for a body that they do not send, which a parser would take for a broken one.
    if (c.req.header('content-type') !== undefined) c.req.raw.headers.delete('content-type')
    return next()
  }
  return limitBody(c, async () => {
    if (!isUtf8(await c.req.arrayBuffer())) throw new ProblemError('malformed-request', 'The body is not UTF-8.')
    await next()
  })
})

/** @throws ProblemError `unsupported-media-type` for a body that is not JSON */
export function assertJsonBody(c: Context): void {
  if (announcesBody((name) => c.req.header(name)) && !isJson(c.req.header('content-type'))) {
    throw new ProblemError('unsupported-media-type')
  }
}

/** Whether a `Content-Type` is that of JSON in UTF-8. */
export function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(contentType ?? '')
}

/** Whether a body is a form of the kind that browsers send. */
export function isForm(c: Context): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? '')
}

/** @throws ProblemError `unsupported-media-type` for a body that is no form */
export function assertFormBody(c: Context): void {
  if (!isForm(c)) throw new ProblemError('unsupported-media-type', 'The body must be a form.')
}
