import { AsyncLocalStorage } from 'node:async_hooks'

const timeoutMs = 5_000
const maxBytes = 1_024 * 1_024

const limited = new AsyncLocalStorage<true>()
let isInstalled = false

/**
 * Runs `work`, whose requests by `fetch` take five seconds and one megabyte at most and follow no redirection: those of
 * Better-Auth to identity providers, who may be slow, lie, or lead elsewhere. It has no setting for it.
 */
export function limitOutbound<T>(work: () => Promise<T>): Promise<T> {
  if (!isInstalled) {
    isInstalled = true
    const original = globalThis.fetch
    globalThis.fetch = (input, init) =>
      limited.getStore() ? limitedFetch(original, input, init) : original(input, init)
  }
  return limited.run(true, work)
}

async function limitedFetch(
  original: typeof fetch,
  input: Parameters<typeof fetch>[0],
  init: RequestInit = {},
): Promise<Response> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout
  const response = await original(input, { ...init, signal, redirect: 'error' })
  const { status, statusText, headers } = response
  const body = await bodyOf(response)
  // It is decoded and of another length than it says.
  const kept = new Headers(headers)
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) kept.delete(name)
  return new Response(body, { status, statusText, headers: kept })
}

async function bodyOf(response: Response): Promise<Buffer<ArrayBuffer> | null> {
  if (!response.body) return null
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`An identity provider answered with more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
