import { defineConfig } from 'vitest/config'

/** Faults that take long, or much of the machine: databases that hang, killed processes, full disks, clocks that differ. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['tests/faults/**/*.test.ts'],
    globalSetup: ['tests/support/database-template.ts', 'tests/support/built-service.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
