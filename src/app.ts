import type { Context, MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { accountsRoutes } from './accounts/accounts.routes.ts'
import { auditRoutes } from './audit/audit.routes.ts'
import { auditRequests } from './auth/audit.ts'
import { authHandler, openPaths, signInPath, signInsInTurn } from './auth/auth-handler.ts'
import { clientsRoutes } from './clients/clients.routes.ts'
import { arrivalRoutes } from './doctor/arrival.routes.ts'
import { untrustedProxyWarning } from './doctor/untrusted-proxy.ts'
import { errorHandler } from './failures.ts'
import { grantsRoutes } from './grants/grants.routes.ts'
import { healthRoutes } from './health/health.routes.ts'
import { limitedBody } from './http/body.ts'
import { arrivalTeller, clientAddressFinder } from './http/client-address.ts'
import { type Env, noteRoute } from './http/exchange.ts'
import { createFlatRouter } from './http/flat.ts'
import { allowedMethods } from './http/methods.ts'
import { ProblemError } from './http/problem.ts'
import { rateLimited } from './http/rate-limited.ts'
import { createRouter } from './http/router.ts'
import { createCall } from './pages/calls.ts'
import { ownForms } from './pages/forms.ts'
import { pagesRoutes } from './pages/pages.routes.tsx'
import { problemView } from './pages/problem.tsx'
import { buildAuthDocument } from './reference/auth-document.ts'
import { buildDocument } from './reference/document.ts'
import { referenceRoutes } from './reference/reference.routes.ts'
import type { Services } from './services.ts'
import { sessionsRoutes } from './sessions/sessions.routes.ts'
import { tokensRoutes } from './tokens/tokens.routes.ts'
import { bansRoutes } from './users/bans.routes.ts'
import { usersRoutes } from './users/users.routes.ts'

/** The routes of `/api/v1`. */
export function apiRoutes(services: Services) {
  const { requires } = services.guards
  const api = createRouter()
  api.route('/', usersRoutes({ ...services, requires }))
  api.route('/', bansRoutes({ ...services, requires }))
  api.route('/', sessionsRoutes({ ...services, requires }))
  api.route('/', accountsRoutes({ ...services, requires }))
  api.route('/', tokensRoutes({ ...services, requires }))
  api.route('/', clientsRoutes({ ...services, requires }))
  api.route('/', grantsRoutes({ ...services, requires }))
  api.route('/', auditRoutes({ ...services, requires }))
  return api
}

/** The whole service as a Hono app: the URL map, in mount order. */
export async function createApp(services: Services, isReady: () => boolean) {
  const { config, log, requestLimits } = services
  const clientAddress = clientAddressFinder(config.trustedProxies, untrustedProxyWarning(log))

  const api = apiRoutes(services)
  const { name: cookieName } = services.sessionCookies
  const document = buildDocument(api, config.baseUrl, cookieName)
  const authDocument = await buildAuthDocument(services.auth, config.baseUrl, cookieName)

  const onError = errorHandler(log, problemView(services.brand))
  const app = createRouter({ router: createFlatRouter(onError) })
  app.use(noteRoute)
  const limited = rateLimited(requestLimits.all, clientAddress)
  app.use(crossOrigin(config.trustedOrigins, config.baseUrl, limited))
  // Asked often, and by who must not be refused.
  app.use('/health/*', limitedBody)
  app.route('/', healthRoutes({ db: services.db, isReady }))
  app.route('/', arrivalRoutes({ ...services, arrivalOf: arrivalTeller(config.trustedProxies) }))
  app.use(limited)
  app.on('POST', signInPath, signInsInTurn(services.signInTurns))
  app.use(limitedBody)
  app.use(auditRequests(clientAddress))
  app.route('/', authHandler({ ...services, clientAddress }))
  app.route('/', await referenceRoutes({ document, authDocument, baseUrl: config.baseUrl }))
  app.route('/api/v1', api)
  app.use('/setup', rateLimited(requestLimits.setup, clientAddress))
  app.route(
    '/',
    pagesRoutes({
      ...services,
      baseUrl: config.baseUrl,
      call: createCall((request, env) => app.fetch(request, env), config.baseUrl),
      ownForm: ownForms(config.baseUrl),
      cookieName,
      signUpOpen: config.signUpOpen,
      canSendMail: services.mailer.canSend,
      confirmsAddresses: services.mailer.isReal,
    }),
  )
  app.notFound((c) => {
    const allow = allowedMethods(app, c.req.path, c.req.method)
    if (allow.length === 0) throw new ProblemError('not-found')
    throw new ProblemError('method-not-allowed', undefined, { headers: { allow: allow.join(', ') } })
  })
  app.onError(onError)
  return app
}

// A page of ours may ask under another name of the host.
function isFromElsewhere(c: Context): boolean {
  return (c.req.header('sec-fetch-site') ?? 'same-origin') !== 'same-origin'
}

const exposeHeaders = [
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'set-auth-token',
  'www-authenticate',
  'x-request-id',
]

/**
 * Lets the trusted origins read responses, with credentials, and any other those of the endpoints that an application in
 * a browser needs, without. Runs only for requests that name another origin than ours: it is costly.
 * @param limited counts what is answered here and goes no further: a preflight, whoever asks
 */
function crossOrigin(trustedOrigins: string[], ownOrigin: string, limited: MiddlewareHandler<Env>) {
  const common = { allowHeaders: ['authorization', 'content-type'], exposeHeaders, maxAge: 600 }
  const allowMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
  const trusted = cors({ ...common, origin: trustedOrigins, credentials: true, allowMethods })
  const any = cors({ ...common, origin: '*', allowMethods: ['GET', 'HEAD', 'POST'] })
  const nobody = cors({ ...common, origin: [], allowMethods: [] })
  return createMiddleware<Env>((c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined || (origin === ownOrigin && !isFromElsewhere(c))) return next()
    const answer = () => {
      if (trustedOrigins.includes(origin)) return trusted(c, next)
      if (!openPaths.has(c.req.path)) return nobody(c, next)
      c.header('vary', 'Origin', { append: true })
      return any(c, next)
    }
    return c.req.method === 'OPTIONS' ? limited(c, () => Promise.resolve()).then(answer) : answer()
  })
}
