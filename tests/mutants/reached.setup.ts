import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, expect, type RunnerTask } from 'vitest'
import type { Reach } from './reach.ts'

// What the processes reach that a file starts is not seen.
const folder = process.env['MUTANTS_REACHED']
if (folder) {
  const startedAt = performance.now()
  const ids = new Set<number>()
  Object.assign(globalThis, { reached: ids })
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads here which fixtures are wanted.
  afterAll(({}, all) => {
    if (hasFailed(all)) return
    const file = relative(process.cwd(), expect.getState().testPath ?? '')
    const reach: Reach = { file, ms: performance.now() - startedAt, ids: [...ids] }
    writeFileSync(join(folder, `${file.replaceAll('/', '+')}.json`), JSON.stringify(reach))
  })
}

function hasFailed(task: RunnerTask): boolean {
  return task.result?.state === 'fail' || ('tasks' in task && task.tasks.some(hasFailed))
}
