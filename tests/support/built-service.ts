import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildInto } from './service-process.ts'

/** Builds the service once for all files of tests, which `buildService` then hands them. */
export default function setup(): () => void {
  const root = mkdtempSync(join(tmpdir(), 'latchkey build with spaces '))
  buildInto(root)
  process.env['BUILT_SERVICE'] = root
  return () => rmSync(root, { recursive: true, force: true })
}
