import { vi } from 'vitest'
import { isNightly } from './nightly.ts'

if (isNightly) vi.setConfig({ testTimeout: 3_600_000 })

/**
 * How often a property is tried, and from which seed: always the same unless `FUZZ_SEED` names another; fast-check prints
 * the seed, and the path to the case, of what fails. At night there are many runs, of a new seed.
 * @param runs how many by day and at night
 */
export function fuzzed({ short, nightly }: { short: number; nightly: number }) {
  const seed = process.env['FUZZ_SEED'] ?? (isNightly ? Date.now() & 0x7fff_ffff : 20_260_801)
  return { seed: Number(seed), numRuns: isNightly ? nightly : short }
}
