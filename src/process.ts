import { setTimeout as pause } from 'node:timers/promises'
import { createFirstAdmin } from './admin/first-admin.ts'
import { serveAdmin } from './admin/socket.ts'
import { createApp } from './app.ts'
import type { AuthConfig, Brand } from './auth/auth-config.ts'
import { createRoles } from './auth/roles.ts'
import type { Config } from './config.ts'
import { databaseFailure } from './db/failure.ts'
import { withPatience } from './db/patience.ts'
import { settingsFindings } from './doctor/settings.ts'
import { errorHandler } from './failures.ts'
import { healthRoutes } from './health/health.routes.ts'
import { noteRoute } from './http/exchange.ts'
import { ProblemError } from './http/problem.ts'
import { createRouter } from './http/router.ts'
import { createServer, type Fetch } from './http/server.ts'
import { closeServer, endListening, listen } from './listen.ts'
import type { Log } from './log.ts'
import { migrateDirectly } from './open-database.ts'
import { assetRoutes } from './pages/assets.ts'
import { problemView } from './pages/problem.tsx'
import { createRequestLog } from './request-log.ts'
import { examineService } from './run-doctor.ts'
import { createServices, type Services } from './services.ts'

/** A service could not end in order; the message says what it waited for. */
export class StopError extends Error {
  override name = 'StopError'
}

/** A service that takes requests. */
export interface Running {
  config: Config
  services: Services
  /** Where it listens, for callers on this machine. */
  url: string
  /** Whether it takes requests, and is not about to end. */
  isReady: () => boolean
  /**
   * Ends it without losing a request: not ready at once, then no new connection, then the requests under way.
   * After SIGTERM new requests are still taken for a moment, until a load balancer has noticed. Requests that take too long
   * are cut off.
   * @throws StopError when something hangs, after nine seconds: the process must be ended with what is left
   */
  stop: (signal?: NodeJS.Signals) => Promise<void>
}

/** What leads several workers of one port, as one of them sees it. */
export interface Lead {
  /** Whether it answers while it starts, as none is ready yet; one that comes later would turn requests away. */
  listensWhileStarting: Promise<boolean>
  /** Resolves once the database is migrated and holds what a first start makes. */
  prepared: Promise<void>
  /** Tells that this worker could take requests, and waits until all can. */
  allBuilt: () => Promise<void>
  /** Tells that this worker takes no new connection, and waits until none does. */
  allClosed: () => Promise<void>
}

const noticeMs = 2_000
const idleGraceMs = 1_000
const drainMs = 5_000
// Container runtimes kill what is there ten seconds after SIGTERM.
const endWithinMs = 9_000
const retryMs = 1_000
const attemptsToMigrate = 30

/**
 * Starts the service: listens at once, alive but not ready, and takes requests when the database is migrated. A database
 * that is down is waited for.
 * @param withPort the configuration for another port; asked for only when the port is taken and may be changed
 * @param lead what prepares the database and tells what the operator has to know, in place of this process
 * @throws ConfigError when it cannot listen there, and what `createServices` throws for reasons that waiting does not mend
 */
export async function serve(
  initial: Config,
  authConfig: AuthConfig,
  log: Log,
  withPort: (port: number) => Config = (port) => ({ ...initial, port }),
  lead?: Lead,
): Promise<Running> {
  let state: 'starting' | 'ready' | 'draining' | 'closing' = 'starting'
  const isReady = () => state === 'ready'
  const requestLog = createRequestLog(log)
  let fetch: Fetch = startingApp(log, authConfig.brand)
  const server = createServer({
    fetch: (request, env) => {
      if (state === 'closing') env.outgoing.setHeader('connection', 'close')
      return fetch(request, env)
    },
    headers: constantHeaders(initial),
    onExchange: requestLog.answered,
    onRefused: requestLog.refused,
    onError: (err, { id }) => log.error({ err, requestId: id }, 'request failed'),
  })
  const listensLate = (await lead?.listensWhileStarting) === false
  const port = listensLate ? initial.port : await listen(server, initial)
  const config = port === initial.port ? initial : withPort(port)
  if (config !== initial) log.warn(`port ${initial.port} is taken: using ${port}. Set PORT to choose one`)

  let closed: Promise<unknown> | undefined
  const stopListening = () => (closed ??= endListening(server))
  let cutAt: number | undefined
  let ending = 'connections'
  const closing = [
    () =>
      closeServer(server, stopListening(), {
        graceMs: state === 'closing' ? idleGraceMs : 0,
        cutInMs: cutAt === undefined ? drainMs : cutAt - performance.now(),
        log,
      }),
  ]
  const closeAll = async () => {
    for (const close of closing) await close()
    requestLog.close()
  }
  try {
    await lead?.prepared
    const services = await whenDatabaseIsUp(log, () => createServices(config, authConfig, log, { migrates: !lead }))
    closing.push(() => services.close((part) => (ending = part)))
    const app = await createApp(services, isReady)
    const tellReady = lead ? () => log.info('worker ready') : await prepare(services)
    if (!config.database) closing.splice(1, 0, await serveAdmin(services, () => examineService(services, authConfig)))
    fetch = (request, env) => withPatience(() => app.fetch(request, env))
    await lead?.allBuilt()
    state = 'ready'
    if (listensLate) await listen(server, config)
    tellReady()

    async function drain(signal: NodeJS.Signals | undefined): Promise<void> {
      state = 'draining'
      log.info('stopping')
      cutAt = performance.now() + drainMs
      if (signal === 'SIGTERM') {
        cutAt += noticeMs + idleGraceMs
        await pause(noticeMs)
        // Who is sent away from here must not come to a worker that is about to do the same.
        if (lead) void stopListening()
        await lead?.allClosed()
        state = 'closing'
      }
      await closeAll()
    }
    let stopped: Promise<void> | undefined
    const url = `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${port}`
    return { config, services, url, isReady, stop: (signal) => (stopped ??= inTime(drain(signal), () => ending)) }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/**
 * Prepares the database for workers, and lets go of it: the schema, the first key, the first admin or the link for one.
 * @returns what tells the operator, once the workers are ready
 * @throws what `createServices` throws for reasons that waiting does not mend
 */
export async function prepareDatabase(config: Config, authConfig: AuthConfig, log: Log): Promise<() => void> {
  const services = await whenDatabaseIsUp(log, () => createServices(config, authConfig, log))
  try {
    return await prepare(services)
  } finally {
    await services.close()
  }
}

const embeddedLimits =
  'the loss of power may take the last writes, and in the worst case all of it. For more set DATABASE_URL to a PostgreSQL'

/** Makes the first admin, or a link for one. @returns what tells the operator that, what is to be mended, where it listens, and callback URLs */
async function prepare(services: Services): Promise<() => void> {
  const { log, providers, config } = services
  await createFirstAdmin(services)
  const link = await services.setup.offer()
  const findings = settingsFindings(config)
  return () => {
    for (const { check, what, mend } of findings) if (mend !== undefined) log.warn({ check }, `${what}. ${mend}`)
    for (const { id, name } of providers)
      log.info(`${name}: the callback URL to give there is ${config.baseUrl}/api/auth/callback/${id}`)
    if (!config.database) log.info(`the database is embedded in ${config.dataDir}: ${embeddedLimits}`)
    log.info({ url: config.baseUrl, reference: `${config.baseUrl}/api/v1/docs` }, 'ready')
    if (link) log.info(`there is no admin yet: to become one, open ${config.baseUrl}${link} within an hour`)
  }
}

/**
 * Brings the schema up to date and ends.
 * @throws what the database answers, or how it cannot be reached for half a minute
 */
export async function runMigrate(config: Config, authConfig: AuthConfig, log: Log): Promise<void> {
  await whenDatabaseIsUp(log, () => migrateDirectly(config, createRoles(authConfig), log), attemptsToMigrate)
  log.info('the schema is current')
}

/** What answers until the service is ready. */
function startingApp(log: Log, brand: Brand): Fetch {
  const app = createRouter()
  app.use(noteRoute)
  app.route('/', healthRoutes({ db: undefined, isReady: () => false }))
  app.route('/', assetRoutes(brand))
  app.notFound(() => {
    throw new ProblemError('dependency-unavailable', 'The service is starting. Try again in a moment.')
  })
  app.onError(errorHandler(log, problemView(brand)))
  return (request, env) => app.fetch(request, env)
}

async function whenDatabaseIsUp<T>(log: Log, start: () => Promise<T>, attempts = Infinity): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      if (databaseFailure(error)?.kind !== 'unavailable' || attempt === attempts) throw error
      log.warn({ err: error }, `the database is not available, trying again in ${retryMs} ms`)
      await pause(retryMs)
    }
  }
}

/** @throws StopError when it takes too long */
async function inTime(stopping: Promise<void>, waitsFor: () => string): Promise<void> {
  const done = new AbortController()
  const late = pause(endWithinMs, undefined, { signal: done.signal }).then(() => {
    throw new StopError(`Stopping took too long, and is cut off: ${waitsFor()}`)
  })
  late.catch(() => {})
  try {
    await Promise.race([stopping, late])
  } finally {
    done.abort()
  }
}

function constantHeaders({ baseUrl }: Config): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(baseUrl.startsWith('https:') && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
  }
}
