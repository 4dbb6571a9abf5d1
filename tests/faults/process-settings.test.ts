import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { badInProcess } from '../support/config-faults.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService, startProgram } from '../support/service-process.ts'

const root = buildService()
const settings = badInProcess.filter((_, n) => isNightly || n % 10 === 0)
const withinMs = isNightly ? 2_000 : 5_000

test.each(settings)('R-41 with %s=%s the process ends in time, and says which setting', async (name, value) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-settings-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const begunAt = performance.now()
  const service = startProgram([process.execPath, join(root, 'dist/src/main.js')], { [name]: value }, folder)

  expect((await service.exited).code).toBe(1)
  expect(performance.now() - begunAt).toBeLessThan(withinMs)
  expect(service.output()).toMatch(new RegExp(`^The configuration is not usable:\\n(  .+\\n)*  ${name}: `))
  expect(readdirSync(folder)).toEqual([])
})
