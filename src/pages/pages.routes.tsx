import { Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Env } from '../http/exchange.ts'
import { problemTypes } from '../http/problem.ts'
import { accountRoutes } from './account.routes.tsx'
import { consentRoutes } from './consent.routes.tsx'
import type { PageDependencies } from './dependencies.ts'
import { ErrorPage } from './error.tsx'
import { icon } from './icon.ts'
import { view } from './layout.tsx'
import { passwordRoutes } from './password.routes.tsx'
import { ProblemPage } from './problem.tsx'
import { setupRoutes } from './setup.routes.tsx'
import { signInRoutes } from './sign-in.routes.tsx'
import { signOutRoutes } from './sign-out.routes.tsx'
import { signUpRoutes } from './sign-up.routes.tsx'
import { stylesheet } from './stylesheet.ts'
import { verifyEmailRoutes } from './verify-email.routes.tsx'

const slugs = Object.keys(problemTypes) as (keyof typeof problemTypes)[]

/** The pages for people, and what they are made of. */
export function pagesRoutes(dependencies: PageDependencies) {
  const { brand, guards, banNotices } = dependencies
  const css = stylesheet(brand)
  const logo = brand.logo ?? icon
  const svg = { 'content-type': 'image/svg+xml', 'cache-control': 'public, max-age=86400' }
  return (
    new Hono<Env>()
      .get('/', guards.optionalAuthenticate, (c) => c.redirect(c.var.principal ? '/account' : '/sign-in', 303))
      .get('/assets/pages.css', (c) =>
        c.body(css, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=3600' }),
      )
      .get('/assets/logo.svg', (c) => c.body(logo, 200, svg))
      // Browsers ask for this name unasked.
      .get('/favicon.ico', (c) => c.body(logo, 200, svg))
      .get('/error', async (c) => {
        const ban = await banNotices.open(getCookie(c, banNotices.cookieName))
        const { error = '', adding } = c.req.query()
        return view(c, <ErrorPage brand={brand} code={error} isAdding={adding !== undefined} ban={ban} />)
      })
      .get('/problems/:slug', (c, next) => {
        const slug = slugs.find((known) => known === c.req.param('slug'))
        return slug ? view(c, <ProblemPage brand={brand} slug={slug} />) : next()
      })
      // Where a form with errors was shown: whoever opens that again wants the page.
      .get('/sign-in/social', (c) => c.redirect('/sign-in', 303))
      .get('/verify-email/resend', (c) => c.redirect('/verify-email', 303))
      .get('/verify-email/change', (c) => c.redirect('/account', 303))
      .route('/', signInRoutes(dependencies))
      .route('/', signOutRoutes(dependencies))
      .route('/', signUpRoutes(dependencies))
      .route('/', passwordRoutes(dependencies))
      .route('/', verifyEmailRoutes(dependencies))
      .route('/', accountRoutes(dependencies))
      .route('/', setupRoutes(dependencies))
      .route('/', consentRoutes(dependencies))
  )
}
