import type { Context } from 'hono'
import type { Env } from '../http/exchange.ts'

/** What one of the two APIs answered to a page. */
export interface Answer {
  status: number
  isOk: boolean
  /** The code of Better-Auth's error, or the type of a problem without `/problems/`; undefined of a success. */
  code: string | undefined
  /** What the error says. */
  message: string
  body: unknown
  /** Of an error: in how many seconds to try again. */
  retryAfter: string | undefined
}

/**
 * Calls one of the two APIs for whoever sends a form, with their cookies and from their address: no page has a right of
 * its own. Cookies that are set go to the browser.
 */
export type Call = (c: Context, method: string, path: string, json?: object) => Promise<Answer>

export function createCall(
  fetch: (request: Request, env: Env['Bindings']) => Response | Promise<Response>,
  baseUrl: string,
): Call {
  return async (c, method, path, json) => {
    const body = json === undefined ? null : JSON.stringify(json)
    const headers = new Headers({ origin: baseUrl })
    for (const name of ['cookie', 'user-agent']) {
      const value = c.req.header(name)
      if (value !== undefined) headers.set(name, value)
    }
    if (body !== null) {
      headers.set('content-type', 'application/json')
      headers.set('content-length', String(Buffer.byteLength(body)))
    }
    const response = await fetch(
      new Request(`${baseUrl}${path}`, { method, headers, ...(body !== null && { body }) }),
      c.env,
    )
    for (const cookie of response.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true })
    return toAnswer(response)
  }
}

async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  const body: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
  const { code, message, type, detail } = (body ?? {}) as Record<string, string | undefined>
  return {
    status: response.status,
    isOk: response.ok,
    code: response.ok ? undefined : (code ?? type?.replace('/problems/', '')),
    message: message ?? detail ?? '',
    body,
    retryAfter: response.headers.get('retry-after') ?? undefined,
  }
}
