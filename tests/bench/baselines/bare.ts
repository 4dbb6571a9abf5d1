import cluster from 'node:cluster'
import { Hono } from 'hono'
import { listen, variable } from './serve.ts'

// The ceiling: the same framework and the same bytes, with nothing to find out. HEADERS are sent as well; WORKERS share the port.
const body = variable('BODY')
const headers = JSON.parse(process.env['HEADERS'] ?? '{"content-type":"application/json"}') as Record<string, string>
const workers = Number(process.env['WORKERS'] ?? '1')

if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork()
} else {
  listen(new Hono().get('/api/*', (c) => c.body(body, 200, headers)))
}
