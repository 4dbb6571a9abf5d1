import { serve } from '@hono/node-server'
import { Hono } from 'hono'

// The usual way: the same Better-Auth instance, asked for the session of each request.
const load = (path: string) => import(new URL(`../../dist/${path}`, import.meta.url).href)
const { parseConfig } = (await load('src/config.js')) as typeof import('../../src/config.ts')
const { createLog } = (await load('src/log.js')) as typeof import('../../src/log.ts')
const { createServices } = (await load('src/services.js')) as typeof import('../../src/services.ts')
const { authConfig } = (await load('auth.config.js')) as typeof import('../../auth.config.ts')

const port = Number(process.env['PORT'])
const { auth } = await createServices(parseConfig(process.env), authConfig, createLog('silent'))
const app = new Hono()
  .get('/health', (c) => c.text('ok'))
  .get('*', async (c) => {
    const session = await auth.api.getSession({ headers: c.req.raw.headers })
    return session ? c.json(session.user) : c.json({ error: 'unauthenticated' }, 401)
  })
serve({ fetch: app.fetch, hostname: '127.0.0.1', port })
