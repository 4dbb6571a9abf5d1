import cluster from 'node:cluster'
import { existsSync, statSync } from 'node:fs'
import { runAdmin } from './admin/cli.ts'
import type { AuthConfig } from './auth/auth-config.ts'
import { type Config, ConfigError, parseConfig } from './config.ts'
import { DirectoryInUseError } from './db/directory-lock.ts'
import { EmbeddedDatabaseError } from './db/embedded.ts'
import { MigrationError } from './db/migrate.ts'
import { createLog, createSharedLog, type Log } from './log.ts'
import { lookLater } from './look-later.ts'
import { prepareDatabase, type Running, runMigrate, StopError, serve } from './process.ts'
import { runDoctor } from './run-doctor.ts'
import { followPrimary, tellPrimary } from './worker.ts'
import { runWorkers, WorkerError, type Workers } from './workers.ts'

/** Ends the process with what went wrong; an error that the operator can mend is told without a stack. */
function fail(error: unknown): void {
  const expected =
    error instanceof ConfigError ||
    error instanceof DirectoryInUseError ||
    error instanceof EmbeddedDatabaseError ||
    error instanceof MigrationError ||
    error instanceof StopError ||
    error instanceof WorkerError ||
    (error instanceof Error && 'syscall' in error)
  const reason =
    expected && error instanceof Error ? error.message : String(error instanceof Error ? error.stack : error)
  if (cluster.worker?.isConnected()) {
    // The primary tells it, once for all workers.
    void tellPrimary(cluster.worker, { failed: reason }).then(() => process.exit(1))
    return
  }
  process.stderr.write(`${reason}\n`)
  process.exit(1)
}

function loadEnv(): void {
  if (!existsSync('.env')) return
  if (statSync('.env').isDirectory()) throw new ConfigError(['.env: is a folder, not a file'])
  process.loadEnvFile('.env')
}

/** Takes requests: this process, or workers that it leads, or this as one of them. */
async function takeRequests(config: Config, authConfig: AuthConfig, log: Log, env: NodeJS.ProcessEnv): Promise<void> {
  const { worker } = cluster
  let running: Running | Workers | undefined
  // Before it is ready there is no request to finish; what it writes then survives being cut short.
  const stop = (signal?: NodeJS.Signals) =>
    void (running?.stop(signal) ?? Promise.resolve()).then(() => process.exit(0), fail)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    // Whoever signals all processes at once must not end a worker before the others have let go of the port.
    process.on(signal, () => worker ?? stop(signal))
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (err: unknown) => {
      log.fatal({ err }, 'unexpected error, stopping')
      void (running?.stop() ?? Promise.resolve()).then(() => process.exit(1), fail)
    })
  }
  // The port decides the public URL, so a port that had to change means another configuration.
  const withPort = (port: number) => parseConfig({ ...env, PORT: String(port) })
  if (worker) {
    const serving = await serve(config, authConfig, log, withPort, followPrimary(worker, stop))
    running = serving
    await tellPrimary(worker, 'ready')
    // One of them; one that replaces another has another id.
    if (worker.id === 1) lookLater(serving, authConfig)
  } else if (config.workers > 1) {
    running = await runWorkers(config.workers, log, () => prepareDatabase(config, authConfig, log))
  } else {
    const serving = await serve(config, authConfig, log, withPort)
    running = serving
    lookLater(serving, authConfig)
  }
}

const [command = 'serve', ...rest] = process.argv.slice(2)
try {
  loadEnv()
  // Only now, so that what is wrong with it is told like any other fault.
  const { authConfig } = await import('../auth.config.ts')
  const env = { ...process.env }
  const config = parseConfig(env)
  if (command === 'serve') {
    const log = config.workers > 1 ? createSharedLog(config.logLevel) : createLog(config.logLevel)
    await takeRequests(config, authConfig, log, env)
  } else if (command === 'migrate') {
    await runMigrate(config, authConfig, createLog(config.logLevel))
  } else if (command === 'admin' && rest[0] === 'doctor') {
    process.exitCode = await runDoctor(rest.slice(1), config, authConfig)
  } else if (command === 'admin') {
    process.exitCode = await runAdmin(rest, config, authConfig)
  } else {
    process.stderr.write(`There is no command "${command}": serve, migrate or admin\n`)
    process.exitCode = 2
  }
} catch (error) {
  fail(error)
}
