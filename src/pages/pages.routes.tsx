import { Hono } from 'hono'
import { getCookie } from 'hono/cookie'
import type { Env } from '../http/exchange.ts'
import { problemTypes } from '../http/problem.ts'
import { accountRoutes } from './account.routes.tsx'
import { assetRoutes } from './assets.ts'
import { consentRoutes } from './consent.routes.tsx'
import type { PageDependencies } from './dependencies.ts'
import { ErrorPage } from './error.tsx'
import { view } from './layout.tsx'
import { passwordRoutes } from './password.routes.tsx'
import { ProblemPage } from './problem.tsx'
import { setupRoutes } from './setup.routes.tsx'
import { signInRoutes } from './sign-in.routes.tsx'
import { signOutRoutes } from './sign-out.routes.tsx'
import { signUpRoutes } from './sign-up.routes.tsx'
import { verifyEmailRoutes } from './verify-email.routes.tsx'

const slugs = Object.keys(problemTypes) as (keyof typeof problemTypes)[]

/** The pages for people, and what they are made of. */
export function pagesRoutes(dependencies: PageDependencies) {
  const { brand, guards, banNotices } = dependencies
  return (
    new Hono<Env>()
      .get('/', guards.optionalAuthenticate, (c) => c.redirect(c.var.principal ? '/account' : '/sign-in', 303))
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
      .route('/', assetRoutes(brand))
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
