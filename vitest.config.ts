import { defineConfig } from 'vitest/config'

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/browser/**', 'tests/faults/**', 'tests/clients/node_modules/**'],
    globalSetup: 'tests/support/database-template.ts',
    pool: 'forks',
    maxWorkers: 3,
    // Loading the libraries anew for each file took a third of the time. What is in `src` keeps nothing between services.
    isolate: false,
    // For a machine that has other things to do; a test that waits says for what.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      include: ['src/**'],
      // Row types, and two programs of the build: `npm run check` and the build itself run them.
      exclude: ['src/db/schema.ts', 'src/db/codegen.ts', 'src/reference/copy-assets.ts'],
    },
  },
})
