import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import coverage from 'istanbul-lib-coverage'
import { buildInto } from '../support/service-process.ts'
import { addChildren } from './children.ts'
import { report } from './report.ts'

// What all tests together reach of `src`: on both databases, and in the processes that they start. `npm run coverage`.
const folder = mkdtempSync(join(tmpdir(), 'latchkey coverage '))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const root = join(folder, 'service')
const children = join(folder, 'children')
mkdirSync(root)
buildInto(root)

const map = coverage.createCoverageMap({})
for (const [name, command] of [
  ['embedded', ['vitest', 'run']],
  ['postgres', ['tsx', 'tests/support/run-on-postgres.ts']],
] as const) {
  const results = join(folder, name)
  await run([
    ...command,
    ...process.argv.slice(2),
    '--coverage',
    '--coverage.reporter=json',
    `--coverage.reportsDirectory=${results}`,
  ])
  map.merge(JSON.parse(readFileSync(join(results, 'coverage-final.json'), 'utf8')) as coverage.CoverageMapData)
}
await addChildren(map, root, children)
report(map)

/** Runs tests to their end, which must be a success. */
async function run([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  const env = { ...process.env, BUILT_SERVICE: root, CHILD_COVERAGE: children }
  const tests: ChildProcess = spawn(program, args, { stdio: 'inherit', env })
  const [code] = (await once(tests, 'exit')) as [number | null]
  if (code !== 0) process.exit(code ?? 1)
}
