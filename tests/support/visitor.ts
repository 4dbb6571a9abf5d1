import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { password, type TestService } from './harness.ts'

/** What a visitor sees after a click. */
export interface Sight {
  status: number
  /** The path where they are in the end, with its query. */
  at: string
  html: string
  headers: Headers
}

/** Somebody with a browser that runs no script: it keeps cookies, goes where it is led, and says where a form is from. */
export interface Visitor {
  open: (path: string) => Promise<Sight>
  /** Sends the form of a page. */
  submit: (action: string, fields: Record<string, string>, headers?: Record<string, string>) => Promise<Sight>
  cookies: Map<string, string>
}

/** A visitor of a service, with the session of somebody if `cookie` is given. */
export function createVisitor(
  { request, baseUrl }: Pick<TestService, 'request' | 'baseUrl'>,
  cookie?: string,
): Visitor {
  const cookies = new Map<string, string>()
  if (cookie !== undefined) keep(cookie)

  function keep(text: string): void {
    const [pair = ''] = text.split(';')
    const at = pair.indexOf('=')
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
    if (/max-age=0/i.test(text) || value === '') cookies.delete(name)
    else cookies.set(name, value)
  }

  async function go(path: string, options: Parameters<TestService['request']>[1]): Promise<Sight> {
    const sent = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { accept: 'text/html', ...(sent && { cookie: sent }), ...options?.headers }
    const response = await request(path, { ...options, headers })
    for (const text of response.headers.getSetCookie()) keep(text)
    const html = await response.text()
    const refresh = /<meta http-equiv="refresh" content="0; url=([^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
    const location = response.headers.get('location') ?? refresh
    const next = location === undefined ? undefined : new URL(location, baseUrl)
    if (next?.origin === baseUrl) return go(`${next.pathname}${next.search}`, {})
    return { status: response.status, at: location ?? path, html, headers: response.headers }
  }

  return {
    cookies,
    open: (path) => go(path, {}),
    submit: (action, fields, headers = {}) =>
      go(action, {
        method: 'POST',
        body: new URLSearchParams(fields).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: baseUrl, ...headers },
      }),
  }
}

/** The text of a page, as people read it. */
export function textOf({ html }: Sight): string {
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll(/\s+/g, ' ')
}

/** What somebody types to sign up. */
export const newUser = () => ({ name: 'Ada Lovelace', email: `${randomUUID()}@example.com`, password })

/** Somebody who has just signed up. */
export async function signUp(service: TestService) {
  const visitor = createVisitor(service)
  const user = newUser()
  expect((await visitor.submit('/sign-up', user)).at).toBe('/account')
  return { visitor, ...user }
}
