import { serve } from '@hono/node-server'
import type { Hono } from 'hono'

/** Listens where the benchmark expects it. */
export function listen(app: Hono): void {
  app.get('/health', (c) => c.text('ok'))
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT']) })
}

export function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is missing`)
  return value
}
