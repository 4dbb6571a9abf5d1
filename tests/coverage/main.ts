import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import coverage from 'istanbul-lib-coverage'
import { buildInto } from '../support/service-process.ts'
import { addChildren } from './children.ts'
import { report } from './report.ts'

// What all tests together reach of `src`: on both databases, and in the processes that they start. `npm run coverage`.
// Or one of them at a time: `-- --only embedded --folder f`, then `-- --only postgres --folder f`, which tells of both.
const { values, positionals } = parseArgs({
  options: { only: { type: 'string' }, folder: { type: 'string' } },
  allowPositionals: true,
})
const folder = values.folder === undefined ? temporaryFolder() : resolve(values.folder)
// With a space in its name, as a folder may have.
const root = join(folder, 'the service')
const children = join(folder, 'children')
const commands = { embedded: ['npm', 'test', '--'], postgres: ['npm', 'run', 'test:pg', '--'] } as const
const names = ['embedded', 'postgres'] as const

if (values.only === 'postgres') assertCurrent()
else begin()

for (const name of names.filter((each) => values.only === undefined || values.only === each)) {
  const flags = ['--coverage', '--coverage.reporter=json', `--coverage.reportsDirectory=${join(folder, name)}`]
  await run([...commands[name], ...positionals, ...flags])
}
if (values.only !== 'embedded') {
  const map = coverage.createCoverageMap({})
  for (const name of names) map.merge(resultsOf(name))
  await addChildren(map, root, children)
  report(map)
}

/** Leaves nothing of what was measured before, and builds the service. */
function begin(): void {
  for (const part of [root, children, ...names.map((name) => join(folder, name))]) {
    rmSync(part, { recursive: true, force: true })
  }
  mkdirSync(root, { recursive: true })
  buildInto(root)
}

/** @throws Error when the half before this one was of other sources, as it could not be added up with this one */
function assertCurrent(): void {
  const built = statSync(join(root, 'dist/src/main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((name) => join('src', name))
  const isOld = [...sources, 'auth.config.ts'].some((name) => statSync(name).mtimeMs > built)
  if (isOld) throw new Error(`${folder} holds nothing of these sources: begin with --only embedded`)
}

function temporaryFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'latchkey coverage '))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}

function resultsOf(name: string): coverage.CoverageMapData {
  return JSON.parse(readFileSync(join(folder, name, 'coverage-final.json'), 'utf8')) as coverage.CoverageMapData
}

/** Runs tests to their end, which must be a success. */
async function run([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  const env = { ...process.env, BUILT_SERVICE: root, CHILD_COVERAGE: children }
  const tests: ChildProcess = spawn(program, args, { stdio: 'inherit', env })
  const [code] = (await once(tests, 'exit')) as [number | null]
  if (code !== 0) process.exit(code ?? 1)
}
