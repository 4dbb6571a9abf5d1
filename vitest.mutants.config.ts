import { defineConfig, mergeConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import base from './vitest.config.ts'

/** Runs the files that were named in the order of their names: the nearest to a mutant first. */
class AsNamed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => process.argv.findIndex((name) => moduleId.endsWith(`/${name}`))
    return files.toSorted((a, b) => place(a) - place(b))
  }
}

/** One run of a few tests against a mutant, or of all to learn what each reaches: see `tests/mutants/main.ts`. */
export default mergeConfig(
  base,
  defineConfig({
    test: {
      setupFiles: 'tests/mutants/reached.setup.ts',
      // What a file reaches is told apart by its process.
      isolate: true,
      ...(process.env['MUTANTS_SWITCHED'] && { runner: './tests/mutants/switching.runner.ts' }),
      sequence: { sequencer: AsNamed },
      // All but one source file is what it was in the last run.
      experimental: { fsModuleCache: true, fsModuleCachePath: '.vitest-cache' },
    },
  }),
)
