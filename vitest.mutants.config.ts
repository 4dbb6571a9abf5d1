import { defineConfig, mergeConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** One run of a few tests against a mutant, or of all to learn what each reaches: see `tests/mutants/main.ts`. */
export default mergeConfig(
  base,
  defineConfig({ test: { setupFiles: 'tests/mutants/reached.setup.ts', testTimeout: 20_000, hookTimeout: 20_000 } }),
)
