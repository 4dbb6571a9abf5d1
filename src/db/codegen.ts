import { readFileSync, writeFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { extensions } from './embedded.ts'
import { readMigrations } from './migrate.ts'

const types: Record<string, string> = {
  text: 'string',
  boolean: 'boolean',
  integer: 'number',
  bigint: 'number',
  bytea: 'Buffer',
  'timestamp with time zone': 'Timestamp',
  jsonb: 'Json',
}

interface Column {
  table_name: string
  column_name: string
  data_type: string
  is_nullable: 'YES' | 'NO'
  column_default: string | null
}

/** The row types of the schema that `migrations/` makes, as the source of `schema.ts`. */
async function generate(): Promise<string> {
  const pglite = await PGlite.create({ extensions })
  for (const { text } of readMigrations()) await pglite.exec(text)
  const { rows } = await pglite.query<Column>(`
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
    where table_schema = 'public' order by table_name, ordinal_position`)
  await pglite.close()
  const tables = groupByTable(rows)
  const interfaces = [...tables].map(
    ([table, columns]) => `export interface ${pascal(table)}Table {\n${columns.map(property).join('')}}\n`,
  )
  const entries = [...tables.keys()].map((table) => `  ${table}: ${pascal(table)}Table\n`)
  return [
    '// Generated from migrations/ by `npm run db:types`.\n',
    "import type { ColumnType, Generated } from 'kysely'\n\n",
    'type Timestamp = ColumnType<Date, Date | string, Date | string>\n',
    'type GeneratedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>\n',
    '/** Read as a value, written as its text. */\n',
    'type Json = ColumnType<unknown, string, string>\n\n',
    interfaces.join('\n'),
    `\nexport interface DB {\n${entries.join('')}}\n`,
  ].join('')
}

function groupByTable(rows: Column[]): Map<string, Column[]> {
  const tables = new Map<string, Column[]>()
  for (const row of rows) tables.set(row.table_name, [...(tables.get(row.table_name) ?? []), row])
  return tables
}

function property({ table_name, column_name, data_type, is_nullable, column_default }: Column): string {
  const type = types[data_type]
  if (!type) throw new Error(`No type for ${table_name}.${column_name} (${data_type}): add it to codegen.ts`)
  // Kysely's Generated does not nest into a ColumnType.
  const generated = type === 'Timestamp' ? 'GeneratedTimestamp' : `Generated<${type}>`
  return `  ${column_name}: ${column_default === null ? type : generated}${is_nullable === 'YES' ? ' | null' : ''}\n`
}

function pascal(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

const target = new URL('./schema.ts', import.meta.url)
const source = await generate()
if (!process.argv.includes('--check')) writeFileSync(target, source)
else if (readFileSync(target, 'utf8') !== source) {
  process.stderr.write('src/db/schema.ts is out of date: run `npm run db:types`\n')
  process.exitCode = 1
}
