import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
    const { stdout } = await bench('--only', 'me', ...short, ...where, '--markdown', '--summary')

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
    expect(stdout).toContain('PostgreSQL at 127.0.0.1: fsync off, full_page_writes off')
    expect(stdout).toContain('| `GET /api/v1/auth/me` with a JWT, beside bare Hono with the same body | ≥ 0.6 × |')
  })
})

test('the table of the README is of the rounds of several runs, and of the figures that are in there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const write = (name: string, sections: unknown[]) => {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify({ sections }))
    return file
  }
  const check = { name: 'a / b', unit: '×', target: { atLeast: 2 }, figure: 'a, beside b' }
  const memory = {
    name: 'memory',
    checks: [{ name: 'end', unit: 'MB', values: [250], target: { atMost: 200 }, figure: 'memory' }],
  }
  const first = write('first.json', [memory, { name: 'me', checks: [{ ...check, values: [1, 4] }] }])
  const unknown = { ...check, name: 'e / f', values: [null], figure: 'e, beside f' }
  const other = { name: 'c / d', unit: '×', values: [9] }
  const second = write('second.json', [
    { name: 'me', checks: [{ ...check, values: [3, null] }, unknown, other] },
    { name: 'lists', failed: 'x' },
  ])

  const { stdout } = await bench('--from', first, second)

  expect(stdout.trimEnd().split('\n')).toEqual([
    '|  | target | median (min – max) |  |',
    '|---|---:|---:|---:|',
    '| a, beside b | ≥ 2 × | 3.00 (1.00 – 4.00) × | met |',
    '| e, beside f | ≥ 2 × | - |  |',
    '| memory | ≤ 200 MB | 250 MB | missed |',
  ])
  await expect(bench('--from', join(import.meta.dirname, 'main.test.ts'))).rejects.toThrow('holds no figures')
})

test('a section that does not exist is named', async () => {
  await expect(bench('--only', 'me,nothing')).rejects.toThrow('there is no nothing')
})
