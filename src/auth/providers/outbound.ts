import { AsyncLocalStorage } from 'node:async_hooks'
import { isPrivate } from '../../http/loopback.ts'

const timeoutMs = 5_000
const maxBytes = 1_024 * 1_024

/** What is answered here, by its address: the service cannot be sure to reach itself. */
type Own = Readonly<Record<string, () => Promise<unknown>>>

interface Limits {
  own: Own
  /** When the first request was made, on the clock of `performance`: what comes before is not theirs to wait for. */
  since?: number
}

const limited = new AsyncLocalStorage<Limits>()
let isInstalled = false

/**
 * Runs `work`, whose requests by `fetch` take five seconds together and one megabyte each at most, follow no redirection,
 * and leave this machine by https only: those of Better-Auth to identity providers, who may be slow, lie, or lead
 * elsewhere. It has no setting for it.
 */
export function limitOutbound<T>(work: () => Promise<T>, own: Own = {}): Promise<T> {
  if (!isInstalled) {
    isInstalled = true
    const original = globalThis.fetch
    globalThis.fetch = async (input, init) => {
      const limits = limited.getStore()
      if (!limits) return original(input, init)
      const answer = limits.own[input instanceof Request ? input.url : String(input)]
      if (answer) return Response.json(await answer())
      limits.since ??= performance.now()
      return limitedFetch(original, limits.since + timeoutMs - performance.now(), input, init)
    }
  }
  const outer = limited.getStore()
  if (outer) outer.since ??= performance.now()
  return limited.run({ own }, work)
}

async function limitedFetch(
  original: typeof fetch,
  leftMs: number,
  input: Parameters<typeof fetch>[0],
  init: RequestInit = {},
): Promise<Response> {
  if (leftMs <= 0) throw timeout()
  const url = new URL(input instanceof Request ? input.url : input)
  if (!isPrivate(url)) throw new Error(`An identity provider at ${url.origin} is not asked without https`)
  const deadline = new AbortController()
  const expire = () => deadline.abort(timeout())
  const giveUp = () => deadline.abort(init.signal?.reason)
  // Held by the timer: `AbortSignal.timeout` and `AbortSignal.any` are forgotten with the garbage, and never fire then.
  const timer = setTimeout(expire, leftMs)
  init.signal?.addEventListener('abort', giveUp)
  if (init.signal?.aborted) giveUp()
  try {
    const asked = original(input, { ...init, signal: deadline.signal, redirect: 'error' })
    const response = await asked.catch((error: unknown) => {
      throw withReason(error)
    })
    const { status, statusText, headers } = response
    const body = await bodyOf(response, deadline.signal)
    // It is decoded and of another length than it says.
    const kept = new Headers(headers)
    for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) kept.delete(name)
    return new Response(body, { status, statusText, headers: kept })
  } finally {
    clearTimeout(timer)
    init.signal?.removeEventListener('abort', giveUp)
  }
}

/** `fetch` says why it failed in the cause alone, of which Better-Auth logs nothing. */
function withReason(error: unknown): unknown {
  const { cause } = error as Error
  if (!(cause instanceof Error)) return error
  const { message, code } = cause as NodeJS.ErrnoException
  return new TypeError(message || code, { cause })
}

function timeout(): DOMException {
  return new DOMException('The operation was aborted due to timeout', 'TimeoutError')
}

async function bodyOf({ body }: Response, signal: AbortSignal): Promise<Buffer<ArrayBuffer> | null> {
  if (!body) return null
  const reader = body.getReader()
  // `fetch` itself may have forgotten the signal once it has the headers.
  signal.addEventListener('abort', () => void reader.cancel().catch(() => {}))
  const chunks: Uint8Array[] = []
  let length = 0
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    length += chunk.value.length
    if (length > maxBytes) {
      await reader.cancel()
      throw new Error(`An identity provider answered with more than ${maxBytes} bytes`)
    }
    chunks.push(chunk.value)
  }
  signal.throwIfAborted()
  return Buffer.concat(chunks)
}
