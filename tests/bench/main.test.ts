import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { buildService } from '../support/service-process.ts'

const server = process.env['TEST_DATABASE_URL']

interface Report {
  sections: {
    name: string
    rows: { name: string; metrics: { perSecond: { median: number; rounds: number[] } } }[]
    checks: { name: string; unit: string; median: number; target?: unknown; met?: boolean }[]
  }[]
}

/** Runs the benchmark. */
function bench(...args: string[]) {
  return promisify(execFile)(process.execPath, ['--import', 'tsx', 'tests/bench/main.ts', ...args])
}

describe.skipIf(!server)('the benchmark (needs TEST_DATABASE_URL)', () => {
  const root = buildService()

  test('measures the service beside its baselines, and writes the figures', { timeout: 180_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'figures.json')
    const short = ['--rounds', '1', '--seconds', '1', '--connections', '4']
    const where = ['--postgres', server ?? '', '--service', root, '--json', file]
    const { stdout } = await bench('--only', 'me', ...short, ...where, '--markdown')

    const { sections } = JSON.parse(readFileSync(file, 'utf8')) as Report
    expect(sections.map(({ name }) => name)).toEqual(['me'])
    const [me] = sections
    expect(me?.rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Latchkey, JWT', 'Latchkey, cookie', 'bare Hono', 'getSession', 'jose and a query']),
    )
    for (const { metrics } of me?.rows ?? []) {
      expect(metrics.perSecond.rounds).toHaveLength(1)
      expect(metrics.perSecond.median).toBeGreaterThan(0)
    }
    for (const { target, met } of me?.checks ?? []) expect(typeof met).toBe(target ? 'boolean' : 'undefined')
    expect(stdout).toContain('| Latchkey, JWT |')
  })
})

test('a section that does not exist is named', async () => {
  await expect(bench('--only', 'me,nothing')).rejects.toThrow('there is no nothing')
})
