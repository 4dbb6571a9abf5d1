import { Hono } from 'hono'
import type { Brand } from '../auth/auth-config.ts'
import type { Env } from '../http/exchange.ts'
import { icon } from './icon.ts'
import { stylesheet } from './stylesheet.ts'

/** What every page is made of. It needs no database. */
export function assetRoutes(brand: Brand) {
  const css = stylesheet(brand)
  const logo = brand.logo ?? icon
  const svg = { 'content-type': 'image/svg+xml; charset=utf-8', 'cache-control': 'public, max-age=86400' }
  return (
    new Hono<Env>()
      .get('/assets/pages.css', (c) =>
        c.body(css, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=3600' }),
      )
      .get('/assets/logo.svg', (c) => c.body(logo, 200, svg))
      // Browsers ask for this name unasked.
      .get('/favicon.ico', (c) => c.body(logo, 200, svg))
  )
}
