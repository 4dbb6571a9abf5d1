import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

/** A folder of an earlier measurement, of other sources. */
function earlier() {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-coverage-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [program, hits] = [join(folder, 'the service/dist/src/main.js'), join(folder, 'children/coverage-1.json')]
  for (const file of [program, hits]) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'old')
    utimesSync(file, 0, 0)
  }
  return { folder, program, hits }
}

/** Measures what no test reaches, as there is none of that name. */
function measure(only: string, folder: string) {
  const args = ['--import', 'tsx', 'tests/coverage/main.ts', '--only', only, '--folder', folder, 'no-such-test']
  return promisify(execFile)(process.execPath, args)
}

test('the first half builds the service anew and leaves nothing of an earlier measurement', async () => {
  const { folder, program, hits } = earlier()

  await expect(measure('embedded', folder)).rejects.toThrow('no-such-test')

  expect(readFileSync(program, 'utf8')).not.toBe('old')
  expect(existsSync(hits)).toBe(false)
})

test('the second half is refused when the first one was of other sources', async () => {
  const { folder } = earlier()

  await expect(measure('postgres', folder)).rejects.toThrow('begin with --only embedded')
})
