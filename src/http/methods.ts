import type { Hono } from 'hono'
import type { Env } from './exchange.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** The methods that a path takes, when `method` is not one of them; none for a path that does not exist. */
export function allowedMethods(app: Hono<Env>, path: string, method: string): string[] {
  // A middleware is registered for every method; only a route names its own.
  const takes = (candidate: string) =>
    app.router.match(candidate === 'HEAD' ? 'GET' : candidate, path)[0].some(([[, route]]) => route.method !== 'ALL')
  const allowed = methods.filter(takes)
  return allowed.includes(method) ? [] : allowed
}
