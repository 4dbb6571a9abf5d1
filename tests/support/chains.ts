import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Handler, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { matchedRoutes, routePath } from 'hono/route'

/** Makes an app whose handlers note what ran. */
export type Build = (app: OpenAPIHono, ran: string[]) => void

export const answers: Handler = (c) => c.text('answered')
export const passes: MiddlewareHandler = (_, next) => next()
export const waits: MiddlewareHandler = async (_, next) => {
  await new Promise(setImmediate)
  await next()
}
/** Notes when it is entered and left, and what it sees then. */
const notes =
  (ran: string[], name: string): MiddlewareHandler =>
  async (c, next) => {
    ran.push(`${name} in`)
    await next()
    ran.push(`${name} out ${c.finalized} ${c.res.status} ${c.error?.message}`)
  }
const throws = (what: unknown) => (): never => {
  throw what
}
const rejects = (what: unknown) => () => Promise.reject(what as Error)

/** What an app is made of, and a request to it. */
export const chains: [name: string, build: Build, path?: string, init?: RequestInit][] = [
  ['handlers that do not wait', (app) => app.use(passes, passes).get('/', answers)],
  [
    'handlers that wait',
    (app, ran) => app.use(notes(ran, 'a'), waits, notes(ran, 'b')).get('/', async (c) => answers(c, async () => {})),
  ],
  [
    'both, by turns',
    (app, ran) => app.use(passes, notes(ran, 'a'), passes, waits, passes).get('/', notes(ran, 'b'), answers),
  ],
  [
    'a middleware that answers',
    (app, ran) =>
      app
        .use(notes(ran, 'a'))
        .use((c) => Promise.resolve(c.text('early', 401)))
        .get('/', notes(ran, 'b'), answers),
  ],
  [
    'nothing that answers, and a page for that which is waited for',
    (app) => app.use(passes, passes).notFound(async (c) => (await new Promise(setImmediate), c.text('none', 404))),
  ],
  [
    'nothing that follows, after an answer',
    (app) => app.use(passes).get('/', async (c, next) => ((c.res = c.text('early')), await next())),
  ],
  ['two that answer', (app) => app.use(async (c, next) => (await next(), c.text('late'))).get('/', answers)],
  ['a handler after one that answered', (app, ran) => app.get('/', answers).get('/', notes(ran, 'never'))],
  ['an error', (app, ran) => app.use(notes(ran, 'a'), passes).get('/', throws(new Error('x')))],
  ['an error after a wait', (app, ran) => app.use(notes(ran, 'a'), passes, waits).get('/', rejects(new Error('x')))],
  [
    'an error of a middleware',
    (app, ran) => app.use(notes(ran, 'a'), throws(new HTTPException(403, { message: 'x' }))).get('/', answers),
  ],
  [
    'an error after the answer',
    (app, ran) =>
      app
        .use(notes(ran, 'a'), async (_, next) => {
          await next()
          throw new Error('x')
        })
        .get('/', answers),
  ],
  [
    'an error that a middleware catches',
    (app) =>
      app
        .use(async (c, next) => {
          await next()
          if (c.error) c.res = new Response('mended')
        })
        .get('/', throws(new Error('x'))),
  ],
  [
    'an error of the error handler',
    (app, ran) => app.use(notes(ran, 'a'), passes).get('/', throws(new Error('beyond help'))),
  ],
  ['what is no error', (app, ran) => app.use(notes(ran, 'a'), passes).get('/', throws('x'))],
  ['what is no error, after a wait', (app, ran) => app.use(notes(ran, 'a'), waits).get('/', rejects('x'))],
  [
    'next() twice, awaited',
    (app, ran) =>
      app
        .use(notes(ran, 'a'), async (_, next) => {
          await next()
          await next()
        })
        .get('/', answers),
  ],
  ['nobody who answers', (app) => app.use(waits).get('/', async () => {})],
  [
    'nobody who answers, at once',
    (app) =>
      app
        .use(async (_, next) => {
          await next()
        })
        .get('/', (() => {}) as unknown as Handler),
  ],
  [
    'headers before and after',
    (app) =>
      app
        .use(async (c, next) => {
          c.header('x-before', '1')
          await next()
          c.header('x-after', '2')
          c.res.headers.append('x-after', '3')
        })
        .get('/', (c) => c.json({ a: 1 }, 201)),
  ],
  [
    'cookies of several',
    (app) =>
      app
        .use((c, next) => {
          c.header('set-cookie', 'a=1', { append: true })
          return next()
        })
        .get('/', (c) => {
          c.header('set-cookie', 'b=2', { append: true })
          return c.text('')
        }),
  ],
  [
    'another answer in its place',
    (app) =>
      app
        .use(async (c, next) => {
          await next()
          c.res = new Response('other', { status: 202 })
        })
        .get('/', answers),
  ],
  [
    'CORS kept on an error',
    (app) => app.use(cors({ origin: 'https://a.example' })).get('/', throws(new Error('x'))),
    '/',
    { headers: { origin: 'https://a.example' } },
  ],
  [
    'a preflight',
    (app) => app.use(cors({ origin: 'https://a.example' })).get('/', answers),
    '/',
    { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' } },
  ],
  [
    'a body within its limit',
    (app) => app.use(bodyLimit({ maxSize: 9 })).post('/', async (c) => c.text(await c.req.text())),
    '/',
    { method: 'POST', body: 'short' },
  ],
  [
    'a body over its limit',
    (app) => app.use(bodyLimit({ maxSize: 9 })).post('/', answers),
    '/',
    { method: 'POST', body: 'too long for it' },
  ],
  ['HEAD', (app, ran) => app.use(notes(ran, 'a')).get('/', answers), '/', { method: 'HEAD' }],
  ['another method', (app, ran) => app.use(notes(ran, 'a'), passes).get('/', answers), '/', { method: 'DELETE' }],
  ['nothing there', (app, ran) => app.use(notes(ran, 'a'), passes).get('/', answers), '/nowhere'],
  ['nothing there, of one middleware', (app, ran) => app.use(notes(ran, 'a')), '/nowhere'],
  ['nothing there, and an answer for it', (app) => app.use(passes, waits).notFound(async (c) => c.text('none', 404))],
  ['nothing there, and an answer at once', (app) => app.use(passes, passes).notFound((c) => c.text('none', 404))],
  [
    'nothing there, which is an error',
    (app, ran) => app.use(notes(ran, 'a'), passes).notFound(throws(new HTTPException(404, { message: 'x' }))),
  ],
  ['c.notFound()', (app) => app.use(passes).get('/', (c) => c.notFound())],
  [
    'parameters, for each its own',
    (app, ran) =>
      app
        .use('/u/:user/*', (c, next) => {
          ran.push(JSON.stringify(c.req.param()))
          return next()
        })
        .get('/u/:id/:what{[a-z]+}', (c) => c.json([c.req.param(), c.req.param('id')])),
    '/u/a%20b/posts?x=1',
  ],
  ['an optional parameter', (app) => app.use(passes).get('/u/:id?', (c) => c.json(c.req.param())), '/u'],
  [
    'the routes that match',
    (app) =>
      app.use(passes).get(
        '/u/:id',
        (c, next) => {
          c.header('x-at', routePath(c))
          return next()
        },
        (c) => c.json(matchedRoutes(c).map(({ path, method }) => [path, method, c.req.routeIndex])),
      ),
    '/u/1',
  ],
  [
    'an app within, with its own errors',
    (app, ran) =>
      app.use(notes(ran, 'a')).route(
        '/in',
        new OpenAPIHono().get('/', throws(new Error('x'))).onError((_, c) => c.text('own', 500)),
      ),
    '/in',
  ],
  ...(['/r/7?q=yes', '/r/7?q=no', '/r/x?q=yes', '/r/7'] as const).map(
    (path) => ['a validated route', validated, path] as [string, Build, string],
  ),
  ...['{"a":1}', '{"a":"1"}', '{'].map(
    (body) =>
      [
        'a validated body',
        validated,
        '/r',
        { method: 'POST', body, headers: { 'content-type': 'application/json' } },
      ] as [string, Build, string, RequestInit],
  ),
]

function validated(app: OpenAPIHono, ran: string[]): void {
  const responses = { 200: { description: 'as it was read' } }
  app.use(passes)
  app.openapi(
    createRoute({
      method: 'get',
      path: '/r/{id}',
      middleware: notes(ran, 'guard'),
      request: { params: z.object({ id: z.coerce.number() }), query: z.object({ q: z.literal('yes') }) },
      responses,
    }),
    (c) => c.json([c.req.valid('param'), c.req.valid('query')]),
  )
  const json = { 'application/json': { schema: z.object({ a: z.number() }) } }
  app.openapi(
    createRoute({
      method: 'post',
      path: '/r',
      middleware: notes(ran, 'guard'),
      request: { body: { required: true, content: json } },
      responses,
    }),
    (c) => c.json(c.req.valid('json')),
  )
}
