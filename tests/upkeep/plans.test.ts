import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { allSwept, deletion } from '../../src/upkeep/upkeep.queries.ts'
import { startServiceForFile } from '../support/harness.ts'
import { rowMaker } from './rows.ts'

const service = await startServiceForFile()
const { db } = service
await service.services.upkeep.close()
const { make } = await rowMaker(db)
// It looks each row up by a plan that was made for an empty table.
await sql`alter table oauth_refresh_token disable trigger user`.execute(db)

interface Plan {
  'Node Type': string
  'Index Name'?: string
  Plans?: Plan[]
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
}

test.each(allSwept)('%s is swept by an index, be much of it over or little', async (kind) => {
  await make(kind, -86_400, 20_000)
  await make(kind, 86_400, 100)
  const few = await planOf(kind)
  await make(kind, 86_400, 20_000)
  const many = await planOf(kind)

  for (const nodes of [few, many]) {
    const types = nodes.map((node) => node['Node Type'])
    expect(types).toContain('Tid Scan')
    expect(types.filter((type) => /Seq|Hash/.test(type))).toEqual([])
    expect(nodes.map((node) => node['Index Name'])).toContainEqual(
      expect.stringMatching(/_(expires_at|ends_at|redeemed_at|last_used_at|last_request)_idx$/),
    )
  }
  // A batch is read, and not all that is over.
  expect(many.map((node) => node['Node Type'])).not.toContain('Sort')
})

async function planOf(kind: (typeof allSwept)[number]): Promise<Plan[]> {
  await sql`analyze`.execute(db)
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: Plan }] }>`
    explain (format json) ${deletion(kind, 1_000)}`.execute(db)
  return nodesOf((rows[0] as { 'QUERY PLAN': [{ Plan: Plan }] })['QUERY PLAN'][0].Plan)
}
