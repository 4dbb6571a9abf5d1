import type { Context } from 'hono'
import type { Brand } from '../auth/auth-config.ts'
import { Page, view } from './layout.tsx'

/** Where applications send people. */
export const authorizePath = '/api/auth/oauth2/authorize'

/**
 * Answers a form by leading on: to a page of ours, to a provider, or back to an application. To another site it is no
 * redirection but a page: a browser follows one only to where the policy of the page with the form allows forms to lead,
 * and whoever is there may lead on at once to places that we do not know. So may our own answer to an application.
 */
export function leadTo(c: Context, brand: Brand, url: string) {
  const isOwn = url.startsWith('/')
  if (isOwn ? !url.startsWith(authorizePath) : !isWeb(url)) return c.redirect(url, 303)
  return view(
    c,
    <Page brand={brand} title="One moment" leadsTo={url}>
      <h1>One moment</h1>
      <p>You are led on to {isOwn ? 'the application' : new URL(url).host}.</p>
      <nav class="more">
        <a href={url}>Go there now</a>
      </nav>
    </Page>,
  )
}

/** What the policy of a page must let its forms lead to, if their answer is to lead there: an application on a device. */
export function formTargetsFor(url: string): string[] {
  return isWeb(url) ? [] : [new URL(url).protocol]
}

function isWeb(url: string): boolean {
  return /^https?:/i.test(url)
}
