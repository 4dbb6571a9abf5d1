import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { append, type Bench } from '../bench.ts'
import { memory, type ServerProcess } from '../processes.ts'
import { figure, type Row, type Section } from '../report.ts'
import { startBaseline, startService } from '../service.ts'

/** How long a start takes, and how much memory it needs. */
export async function start(bench: Bench): Promise<Section> {
  const rows: Row[] = []
  for (let round = 0; round < bench.options.rounds; round++) {
    const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
    const embedded = { DATABASE_URL: '', DATA_DIR: join(directory, 'data') }
    const database = await bench.createDatabase()
    const starts: [string, (own: Bench) => Promise<ServerProcess>][] = [
      ['embedded, first start', (own) => startService(own, '', { env: embedded })],
      ['embedded, later', (own) => startService(own, '', { env: embedded })],
      ['PostgreSQL, first start', (own) => startService(own, database)],
      ['PostgreSQL, later', (own) => startService(own, database)],
      ['bare Hono', (own) => startBaseline(own, 'bare', { BODY: '' })],
    ]
    try {
      for (const [name, begin] of starts) append(rows, name, await once(bench, begin))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
  return {
    title: 'Start-up',
    notes: [
      'From the start of the process until it takes requests. A first start makes the tables, keys and the admin.',
    ],
    rows,
    checks: ['PostgreSQL', 'embedded'].map((database) => {
      const name = `${database}, later`
      const values = rows.find((row) => row.name === name)?.metrics['readyMs'] ?? []
      return figure(`start-up, ${database}`, { name, unit: 'ms', values })
    }),
  }
}

/** Starts a server, looks at it, and stops it. */
async function once(bench: Bench, begin: (own: Bench) => Promise<ServerProcess>): Promise<Record<string, number>> {
  const ends: (() => unknown)[] = []
  try {
    const { pid, readyMs } = await begin({ ...bench, defer: (end) => void ends.push(end) })
    return { readyMs, ...memory(pid) }
  } finally {
    for (const end of ends) await end()
  }
}
