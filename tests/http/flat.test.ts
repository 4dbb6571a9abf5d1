import { OpenAPIHono } from '@hono/zod-openapi'
import type { ErrorHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { expect, test } from 'vitest'
import { createFlatRouter } from '../../src/http/flat.ts'
import { answers, type Build, chains, passes, waits } from '../support/chains.ts'

const onError: ErrorHandler = (error, c) => {
  if (error.message === 'beyond help') throw error
  return c.text(`failed: ${error.message}`, error instanceof HTTPException ? error.status : 500)
}

function createApp(build: Build, ran: string[], options: ConstructorParameters<typeof OpenAPIHono>[0]): OpenAPIHono {
  const app = new OpenAPIHono(options)
  app.onError(onError)
  build(app, ran)
  return app
}

/** What becomes of a request: the answer, or what is thrown at the server, and what ran, in which order. */
async function outcome(app: OpenAPIHono, ran: string[], path: string, init: RequestInit) {
  try {
    const response = await app.request(path, init)
    return { status: response.status, headers: [...response.headers], body: await response.text(), ran }
  } catch (thrown) {
    return { thrown: String(thrown), ran }
  }
}

test.each(chains)('runs as with compose: %s (%#)', async (_, build, path = '/', init = {}) => {
  const [ofHono, flat]: [string[], string[]] = [[], []]

  const expected = await outcome(createApp(build, ofHono, {}), ofHono, path, init)
  const actual = await outcome(createApp(build, flat, { router: createFlatRouter(onError) }), flat, path, init)

  expect(actual).toEqual(expected)
})

test('waits for what is made of an error', async () => {
  const onErrorLater: ErrorHandler = async (error, c) => {
    await new Promise(setImmediate)
    return c.text(`failed: ${error.message}`, 500)
  }
  const app = new OpenAPIHono({ router: createFlatRouter(onErrorLater) }).onError(onErrorLater)
  app.use(passes, passes).get('/', () => {
    throw new Error('x')
  })

  const response = await app.request('/')

  expect([response.status, await response.text()]).toEqual([500, 'failed: x'])
})

test('waits for what is answered where there is nothing', async () => {
  const app = new OpenAPIHono({ router: createFlatRouter(onError) })
  app.notFound(async (c) => {
    await new Promise(setImmediate)
    return c.text('nothing here', 404)
  })
  app.use(passes, async (c, next) => {
    await next()
    c.header('x-after', String(c.res.status))
  })

  const response = await app.request('/elsewhere')

  expect([response.headers.get('x-after'), await response.text()]).toEqual(['404', 'nothing here'])
})

test('looks for nothing more where there is an answer', async () => {
  const app = new OpenAPIHono({ router: createFlatRouter(onError) })
  app.notFound(() => {
    throw new Error('nothing here')
  })
  app.use(passes, async (c, next) => {
    c.res = c.text('set')
    await next()
  })

  expect(await (await app.request('/')).text()).toBe('set')
})

test('answers at once where no handler waits, and else with a promise', async () => {
  const router = createFlatRouter(onError)
  const app = new OpenAPIHono({ router }).use(passes).get('/', passes, answers).get('/slow', waits, answers)

  expect(app.fetch(new Request('http://localhost/'))).toBeInstanceOf(Response)
  const slow = app.fetch(new Request('http://localhost/slow'))
  expect(slow).toBeInstanceOf(Promise)
  expect(await (await slow).text()).toBe('answered')
})

test('names the route that answers, not the middlewares before it', () => {
  const router = createFlatRouter(onError)
  new OpenAPIHono({ router }).use(passes).use('/u/*', passes).get('/u/:id', answers)

  const methods = (method: string, path: string) => router.match(method, path)[0].map(([[, route]]) => route.method)
  expect(methods('GET', '/u/1')).toEqual(['GET'])
  expect(methods('PUT', '/u/1')).toEqual(['ALL'])
})
