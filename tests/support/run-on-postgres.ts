import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { startPostgres } from './throwaway-postgres.ts'

// Runs all tests, or those named, on a throw-away PostgreSQL: `npm run test:pg -- migrations`.
let vitest: ChildProcess | undefined
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true
    // Ctrl-C reaches vitest by itself, and a second one would cut its clean-up short.
    if (signal !== 'SIGINT') vitest?.kill(signal)
  })
}

const { url, stop } = await startPostgres()
try {
  process.exitCode = interrupted ? 1 : await runTests(url)
} finally {
  await stop()
}

async function runTests(TEST_DATABASE_URL: string): Promise<number> {
  const env = { ...process.env, TEST_DATABASE_URL }
  vitest = spawn('vitest', ['run', ...process.argv.slice(2)], { stdio: 'inherit', env })
  const [code] = (await once(vitest, 'exit')) as [number | null]
  return code ?? 1
}
