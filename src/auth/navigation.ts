import { type EndpointContext } from './endpoint.ts'

/** A call as the address bar of a browser makes it: to a script the provider answers with JSON, and mostly errors. */
export function navigated({ request, ...context }: EndpointContext): EndpointContext {
  const headers = asNavigation(new Headers(context.headers ?? request?.headers))
  return { ...context, headers, request: request && new Request(request.url, { method: request.method, headers }) }
}

/** Has headers be those of a navigation. */
export function asNavigation(headers: Headers): Headers {
  headers.delete('sec-fetch-mode')
  headers.set('accept', 'text/html')
  return headers
}
