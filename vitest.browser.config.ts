import { defineConfig } from 'vitest/config'

/** What only a browser can tell. Needs Chromium, at /usr/bin/chromium or where CHROMIUM says. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['tests/browser/**/*.test.ts'],
    globalSetup: 'tests/support/database-template.ts',
    pool: 'forks',
    // A browser mostly waits.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
