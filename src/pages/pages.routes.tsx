import { Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { problemTypes } from '../http/problem.ts'
import { icon } from './icon.ts'
import { ProblemPage } from './problem.tsx'
import { stylesheet } from './stylesheet.ts'

const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const slugs = Object.keys(problemTypes) as (keyof typeof problemTypes)[]

/** The pages for people. */
export function pagesRoutes() {
  return (
    new Hono<Env>()
      .get('/assets/pages.css', (c) =>
        c.body(stylesheet, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=3600' }),
      )
      // Browsers ask for this name unasked.
      .get('/favicon.ico', (c) =>
        c.body(icon, 200, { 'content-type': 'image/svg+xml', 'cache-control': 'public, max-age=86400' }),
      )
      .get('/problems/:slug', (c, next) => {
        const slug = slugs.find((known) => known === c.req.param('slug'))
        if (!slug) return next()
        return c.html(<ProblemPage slug={slug} />, 200, { 'content-security-policy': contentSecurityPolicy })
      })
  )
}
