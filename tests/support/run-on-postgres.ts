import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { startPgbouncer } from './pgbouncer.ts'
import { startPostgres } from './throwaway-postgres.ts'

// Runs all tests, or those named, on a throw-away PostgreSQL: `npm run test:pg -- migrations`. With `--pooled` every
// service reaches its database through PgBouncer in transaction mode.
let vitest: ChildProcess | undefined
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true
    // Ctrl-C reaches vitest by itself, and a second one would cut its clean-up short.
    if (signal !== 'SIGINT') vitest?.kill(signal)
  })
}

const args = process.argv.slice(2)
const isPooled = args.includes('--pooled')
const { url, stop } = await startPostgres()
try {
  const pooler = isPooled ? await startPgbouncer(url, { size: 20, isLimited: true }) : undefined
  try {
    process.exitCode = interrupted ? 1 : await runTests(pooler && { TEST_POOLER: pooler.host })
  } finally {
    await pooler?.stop()
  }
} finally {
  await stop()
}

async function runTests(extra?: Record<string, string>): Promise<number> {
  const env = { ...process.env, TEST_DATABASE_URL: url, ...extra }
  vitest = spawn('vitest', ['run', ...args.filter((arg) => arg !== '--pooled')], { stdio: 'inherit', env })
  const [code] = (await once(vitest, 'exit')) as [number | null]
  return code ?? 1
}
