import type { Context, ErrorHandler } from 'hono'
import { METHOD_NAME_ALL, type Result, type Router } from 'hono/router'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import type { H, RouterRoute } from 'hono/types'

type Route = [H, RouterRoute]
type Matches = Result<Route>[0]

/**
 * Hono's router, which hands over all that matches a request as one handler. Hono calls a single handler directly, but
 * composes several with a promise for each, and leaves the fast path of the Node adapter, which wants a response at once.
 * @param onError the same as is given to the app
 */
export function createFlatRouter(onError: ErrorHandler): Router<Route> {
  const router = new SmartRouter<Route>({ routers: [new RegExpRouter(), new TrieRouter()] })
  return {
    name: 'FlatRouter',
    add: (method, path, route) => router.add(method, path, route),
    match(method, path) {
      const found = router.match(method, path)
      const [matches] = found
      if (matches.length < 2) return found
      const handler = (c: Context) => {
        // What the context knows of its request: parameters and routes, for each handler its own.
        result[0] = matches
        return new Chain(c, matches, onError).run()
      }
      const result = [[[[handler, answering(matches)], {}]], found[1]] as Result<Route>
      return result
    },
  }
}

/** The route that answers: a middleware is for all methods, and the first of the others is none. */
function answering(matches: Matches): RouterRoute | undefined {
  for (const [[, route]] of matches) if (route.method !== METHOD_NAME_ALL) return route
  return matches[0]?.[0][1]
}

// What `next()` returns where nothing had to be waited for. Who awaits it gets what Hono promises: all that follows is done.
const done = Promise.resolve()

/**
 * The handlers of one request, in order, as Hono's `compose` runs them, but without a promise for one that returns none.
 */
class Chain {
  readonly #c: Context
  readonly #matches: Matches
  readonly #onError: ErrorHandler
  #last = -1

  constructor(c: Context, matches: Matches, onError: ErrorHandler) {
    this.#c = c
    this.#matches = matches
    this.#onError = onError
  }

  run(): Response | Promise<Response> {
    const outcome = this.#dispatch(0)
    return outcome === done ? this.#response() : outcome.then(() => this.#response())
  }

  #response(): Response {
    // In the words of Hono.
    if (!this.#c.finalized)
      throw new Error('Context is not finalized. Did you forget to return a Response object or `await next()`?')
    return this.#c.res
  }

  /** Runs a handler and, when that calls `next()`, what follows. Rejects and never throws, as an async function. */
  #dispatch(index: number): Promise<void> {
    if (index <= this.#last) return Promise.reject(new Error('next() called multiple times'))
    this.#last = index
    const match = this.#matches[index]
    try {
      return match ? this.#call(match[0][0], index) : this.#notFound()
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #call(handler: H, index: number): Promise<void> {
    this.#c.req.routeIndex = index
    let answer: ReturnType<H>
    try {
      answer = handler(this.#c, () => this.#dispatch(index + 1))
    } catch (error) {
      return this.#fail(error)
    }
    if (answer === done) return done
    if (!(answer instanceof Promise)) return this.#answer(answer)
    return answer.then(
      (response) => this.#answer(response),
      (error: unknown) => this.#fail(error),
    )
  }

  #notFound(): Promise<void> {
    if (this.#c.finalized) return done
    const answer = this.#c.notFound()
    return answer instanceof Promise ? answer.then((response) => this.#answer(response)) : this.#answer(answer)
  }

  #fail(error: unknown): Promise<void> {
    if (!(error instanceof Error)) throw error
    this.#c.error = error
    const answer = this.#onError(error, this.#c)
    return answer instanceof Promise ? answer.then((response) => this.#replace(response)) : this.#replace(answer)
  }

  /** The first answer counts. */
  #answer(response: Response | undefined): Promise<void> {
    return response && !this.#c.finalized ? this.#replace(response) : done
  }

  #replace(response: Response): Promise<void> {
    this.#c.res = response
    return done
  }
}
