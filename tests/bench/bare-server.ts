import { serve } from '@hono/node-server'
import { Hono } from 'hono'

// The ceiling: the same framework and the same bytes, with nothing to find out.
const body = process.env['BODY'] ?? ''
const headers = { 'content-type': 'application/json' }
const app = new Hono().get('/health', (c) => c.text('ok')).get('*', (c) => c.body(body, 200, headers))
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT']) })
