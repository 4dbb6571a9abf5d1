import type { EndpointContext } from './endpoint-guard.ts'

/** A call as the address bar of a browser makes it: to a script the provider answers with JSON, and mostly errors. */
export function navigated({ request, ...context }: EndpointContext): EndpointContext {
  const headers = new Headers(context.headers ?? request?.headers)
  headers.delete('sec-fetch-mode')
  headers.set('accept', 'text/html')
  return { ...context, headers, request: request && new Request(request.url, { method: request.method, headers }) }
}
