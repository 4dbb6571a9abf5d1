import { existsSync, statSync } from 'node:fs'
import { runAdmin } from './admin/cli.ts'
import { ConfigError, parseConfig } from './config.ts'
import { DirectoryInUseError } from './db/directory-lock.ts'
import { EmbeddedDatabaseError } from './db/embedded.ts'
import { MigrationError } from './db/migrate.ts'
import { createLog } from './log.ts'
import { type Running, runMigrate, serve } from './process.ts'

/** Ends the process with what went wrong; an error that the operator can mend is told without a stack. */
function fail(error: unknown): void {
  const expected =
    error instanceof ConfigError ||
    error instanceof DirectoryInUseError ||
    error instanceof EmbeddedDatabaseError ||
    error instanceof MigrationError ||
    (error instanceof Error && 'syscall' in error)
  process.stderr.write(
    `${expected && error instanceof Error ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
  )
  process.exit(1)
}

function loadEnv(): void {
  if (!existsSync('.env')) return
  if (statSync('.env').isDirectory()) throw new ConfigError(['.env: is a folder, not a file'])
  process.loadEnvFile('.env')
}

const [command = 'serve', ...rest] = process.argv.slice(2)
try {
  loadEnv()
  // Only now, so that what is wrong with it is told like any other fault.
  const { authConfig } = await import('../auth.config.ts')
  const env = { ...process.env }
  const config = parseConfig(env)
  const log = createLog(config.logLevel)
  if (command === 'serve') {
    let running: Running | undefined
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // Before it is ready there is no request to finish; what it writes then survives being cut short.
      process.on(signal, () => void (running?.stop(signal) ?? Promise.resolve()).then(() => process.exit(0), fail))
    }
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (err: unknown) => {
        log.fatal({ err }, 'unexpected error, stopping')
        void (running?.stop() ?? Promise.resolve()).finally(() => process.exit(1))
      })
    }
    // The port decides the public URL, so a port that had to change means another configuration.
    running = await serve(config, authConfig, log, (port) => parseConfig({ ...env, PORT: String(port) }))
  } else if (command === 'migrate') {
    await runMigrate(config, authConfig, log)
  } else if (command === 'admin') {
    process.exitCode = await runAdmin(rest, config, authConfig)
  } else {
    process.stderr.write(`There is no command "${command}": serve, migrate or admin\n`)
    process.exitCode = 2
  }
} catch (error) {
  fail(error)
}
