import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { databaseFailure, isConflict } from '../../src/db/failure.ts'
import { reportOutage, throwOutage } from '../../src/db/outage.ts'
import { startServiceForFile } from '../support/harness.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const { db } = await startServiceForFile()

/** The error with which the database itself refuses a statement. */
async function refusal(statement: string): Promise<unknown> {
  try {
    await sql.raw(statement).execute(db)
  } catch (error) {
    return error
  }
  throw new Error('the statement was not refused')
}

const raise = (code: string, message = 'no') =>
  `do $$ begin raise exception '${message}' using errcode = '${code}'; end $$`

test.each([
  ["insert into role (name) values ('admin')", { kind: 'constraint', constraint: 'role_pkey' }],
  ["select convert_from('\\xff', 'UTF8')", { kind: 'invalid' }],
  ['select 1 / 0', undefined],
  ['select nothing', undefined],
  [raise('57P01'), { kind: 'unavailable' }],
  [raise('53300'), { kind: 'unavailable' }],
  [raise('08006'), { kind: 'unavailable' }],
  [raise('25006'), { kind: 'unavailable' }],
  [raise('55P03'), { kind: 'unavailable' }],
  [raise('57014'), { kind: 'unavailable' }],
  [raise('08P01', 'unsupported startup parameter: lock_timeout'), undefined],
  [raise('08P01', 'server conn crashed?'), { kind: 'unavailable' }],
  [raise('08P01', 'query_wait_timeout'), { kind: 'unavailable' }],
])('what the database means with its refusal of %s', async (statement, failure) => {
  expect(databaseFailure(await refusal(statement))).toEqual(failure)
})

test.each([
  [raise('40001'), true],
  [raise('40P01'), true],
  [raise('57P01'), false],
  ['select 1 / 0', false],
])('whether %s is worth another attempt', async (statement, again) => {
  expect(isConflict(await refusal(statement))).toBe(again)
})

test('a file that is missing stays missing, a socket may appear', async () => {
  const missing = join(tmpdir(), randomUUID())
  const [refused] = (await once(createConnection({ path: missing }), 'error')) as [Error]
  const noFile: unknown = await readFile(missing).catch((error: unknown) => error)

  expect(databaseFailure(refused)).toEqual({ kind: 'unavailable' })
  expect(noFile).toMatchObject({ code: 'ENOENT' })
  expect(databaseFailure(noFile)).toBeUndefined()
})

test('a database that nobody listens for is unavailable, over both families of addresses too', async () => {
  const socket = createConnection({ host: '127.0.0.1', port: await freePort() })
  const [error] = (await once(socket, 'error')) as [Error]

  expect(databaseFailure(error)).toEqual({ kind: 'unavailable' })
  expect(databaseFailure(new AggregateError([error, error]))).toEqual({ kind: 'unavailable' })
})

test.each([new Error('any'), new AggregateError([]), 'a text', undefined, { code: '57P01', severity: 'FATAL' }])(
  'what is no error of the database is none: %s',
  (error) => {
    expect(databaseFailure(error)).toBeUndefined()
    expect(isConflict(error)).toBe(false)
  },
)

test('an outage that work swallowed is thrown, the first one of several', async () => {
  const [first, second] = [new Error('first'), new Error('second')]
  const swallow = () => {
    reportOutage(first)
    reportOutage(second)
    return Promise.resolve('nothing found')
  }

  await expect(throwOutage(swallow)).rejects.toBe(first)
  expect(await throwOutage(() => Promise.resolve('found'))).toBe('found')
  // Nobody watches.
  expect(await swallow()).toBe('nothing found')
})
