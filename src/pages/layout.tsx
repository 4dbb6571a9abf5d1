import type { Context } from 'hono'
import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { StatusCode } from 'hono/utils/http-status'
import type { Brand } from '../auth/auth-config.ts'

interface PageProps {
  brand: Brand
  title: string
  /** For a page of several sections, which a phone shows below each other. */
  wide?: boolean
  /** Where the page leads by itself, at once. */
  leadsTo?: string
  /** What stands on the right of the head of the page. */
  aside?: Child
  children?: Child
}

/** The frame of every page. */
export function Page({ brand, title, wide = false, leadsTo, aside, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        {leadsTo !== undefined && <meta http-equiv="refresh" content={`0; url=${leadsTo}`} />}
        <title>{`${title} · ${brand.name}`}</title>
        <link rel="icon" href="/favicon.ico" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/pages.css" />
      </head>
      <body>
        <a class="skip" href="#content">
          Skip to content
        </a>
        <header>
          <a class="brand" href="/">
            <img src="/assets/logo.svg" alt="" width="28" height="28" />
            {brand.name}
          </a>
          {aside}
        </header>
        <main id="content" class={wide ? 'wide' : undefined}>
          {children}
        </main>
      </body>
    </html>
  )
}

interface ViewOptions {
  status?: StatusCode
  /** Other origins to which a form of the page may lead. */
  formTargets?: readonly string[]
}

// Of a mailed link or that of the log, also within another parameter.
const tokenInQuery = /(?:[?&]|%3f|%26)(?:token|change)(?:=|%3d)/i

/** Answers with a page. Nothing runs on it, and nothing is loaded from another origin. */
export function view(c: Context, page: Child, { status = 200, formTargets = [] }: ViewOptions = {}) {
  const formAction = ["'self'", ...formTargets].join(' ')
  c.header(
    'content-security-policy',
    `default-src 'none'; style-src 'self'; img-src 'self'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
  )
  // No other page may be told a token. But a form of a page without a referrer does not say where it comes from.
  c.header('referrer-policy', status >= 400 || tokenInQuery.test(c.req.url) ? 'no-referrer' : 'same-origin')
  c.status(status)
  return c.html(
    <>
      {raw('<!doctype html>')}
      {page}
    </>,
  )
}
