import { type Context, Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { PageDependencies } from './dependencies.ts'
import { Form, Notice } from './fields.tsx'
import { fieldsOf } from './forms.ts'
import { Page, view } from './layout.tsx'
import { leadTo } from './leaving.tsx'
import { type OAuthRequest, oauthRequestOf, queryOf } from './oauth-request.ts'
import { permissionsIn } from './scope-words.ts'

/** `/consent`: where people allow an application what it asks for, or not. */
export function consentRoutes({ brand, call, guards, ownForm }: PageDependencies) {
  async function requestOf(c: Context, query: string): Promise<OAuthRequest> {
    const request = await oauthRequestOf(c, call, query)
    if (request) return request
    throw new ProblemError('malformed-request', 'An application leads here. Go back to it and start again.')
  }

  return new Hono<Env>()
    .get('/consent', guards.optionalAuthenticate, async (c) => {
      const request = await requestOf(c, queryOf(c))
      if (!c.var.authenticated) return c.redirect(`/sign-in?${request.query}`, 303)
      const { user, principal } = c.var.authenticated
      const isImpersonated = principal.impersonatedBy !== null
      const props = { brand, request, userId: principal.subject, email: user?.email ?? '', isImpersonated }
      return view(c, <ConsentPage {...props} />, { formTargets: request.formTargets })
    })
    .post('/consent', ownForm, async (c) => {
      const { oauth_query: query = '', decision, user } = await fieldsOf(c)
      await requestOf(c, query)
      // Somebody else may have signed in since in this browser: they are asked, too.
      const { body } = await call(c, 'GET', '/api/v1/auth/me')
      if ((body as { id?: string } | undefined)?.id !== user) return c.redirect(`/consent?${query}`, 303)
      const answer = await call(c, 'POST', '/api/auth/oauth2/consent', {
        accept: decision === 'allow',
        oauth_query: query,
      })
      const { url } = (answer.body ?? {}) as { url?: string }
      if (answer.isOk && url) return leadTo(c, brand, url)
      if (answer.status === 401) return c.redirect(`/sign-in?${query}`, 303)
      if (answer.code === 'IMPERSONATING') throw new ProblemError('forbidden', impersonating)
      throw new ProblemError(answer.status >= 500 ? 'dependency-unavailable' : 'malformed-request')
    })
}

const impersonating = 'You act as somebody else: only they can allow this.'

interface ConsentProps extends Pick<PageDependencies, 'brand'> {
  request: OAuthRequest
  userId: string
  email: string
  isImpersonated: boolean
}

function ConsentPage({ brand, request, userId, email, isImpersonated }: ConsentProps) {
  const { client, query, scopes } = request
  return (
    <Page brand={brand} title={`Allow ${client.name}`}>
      <h1>Allow {client.name}?</h1>
      <p>
        {client.uri ? <a href={client.uri}>{client.name}</a> : client.name} would like to sign you in as{' '}
        <strong>{email}</strong>, and to:
      </p>
      <ul class="permissions">
        {permissionsIn(scopes).map((text) => (
          <li>{text}</li>
        ))}
      </ul>
      {isImpersonated ? (
        <Notice kind="bad">{impersonating}</Notice>
      ) : (
        <Form action="/consent" hidden={{ oauth_query: query, user: userId }} class="choice">
          <button type="submit" name="decision" value="allow">
            Allow
          </button>
          <button type="submit" name="decision" value="deny" class="quiet">
            Do not allow
          </button>
        </Form>
      )}
      <p class="hint">This holds until you end it, on your account page.</p>
      <nav class="more">
        <a href={`/sign-in?${query}`}>Use another account</a>
        <a href="/sign-out">Sign out</a>
      </nav>
    </Page>
  )
}
