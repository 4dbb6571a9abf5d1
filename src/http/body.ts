import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { Env } from './exchange.ts'
import { jsonFault } from './json.ts'
import { ProblemError } from './problem.ts'

const maxBodyBytes = 64 * 1024
/** The type of a form. */
export const formType = 'application/x-www-form-urlencoded'
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

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
 * Refuses a body over 64 KiB, a compressed one, one that is not UTF-8, for which a parser would put U+FFFD, and JSON of which
 * a parser would keep a part, before anything parses it. Handlers read it from the context, which keeps it, not from the native request.
 * Runs only where one is announced: looking at the native request costs two thirds of the throughput of a GET.
 */
export const limitedBody = createMiddleware<Env>((c, next) => {
  if (!announcesBody((name) => c.req.header(name))) {
    // Many clients name a type for a body that they do not send, which a parser would take for a broken one.
    if (c.req.header('content-type') !== undefined) c.req.raw.headers.delete('content-type')
    return next()
  }
  return limitBody(c, async () => {
    assertPlain(c)
    const body = await c.req.arrayBuffer()
    if (!isUtf8(body)) throw new ProblemError('malformed-request', 'The body is not UTF-8.')
    const fault = /json/i.test(c.req.header('content-type') ?? '') ? jsonFault(utf8.decode(body)) : undefined
    if (fault !== undefined) throw new ProblemError('malformed-request', `The body ${fault}.`)
    await next()
  })
})

/** @throws ProblemError `unsupported-media-type` for a body that is compressed: RFC 9110 section 15.5.16 */
function assertPlain(c: Context): void {
  const coding = c.req.header('content-encoding') || 'identity'
  if (coding.toLowerCase() === 'identity') return
  const headers = { 'accept-encoding': 'identity' }
  throw new ProblemError('unsupported-media-type', 'The body must not be compressed.', { headers })
}

/** @throws ProblemError `unsupported-media-type` for a body that is not JSON */
export function assertJsonBody(c: Context): void {
  if (announcesBody((name) => c.req.header(name)) && !isJson(c.req.header('content-type'))) {
    throw new ProblemError('unsupported-media-type')
  }
}

/** Whether a `Content-Type` is that of JSON in UTF-8. */
export function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(?:;\s*(?:charset="?utf-?8"?\s*)?)?$/i.test(contentType ?? '')
}

/** Whether a body is a form of the kind that browsers send. */
export function isForm(c: Context): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? '')
}

/** @throws ProblemError `unsupported-media-type` for a body that is no form */
export function assertFormBody(c: Context): void {
  if (isForm(c)) return
  throw new ProblemError('unsupported-media-type', 'The body must be a form.', { headers: { accept: formType } })
}
