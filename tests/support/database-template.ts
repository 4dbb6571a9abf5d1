import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { authConfig } from '../../auth.config.ts'
import { openDatabase } from '../../src/db/database.ts'
import { migrate } from '../../src/db/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A migrated database to copy: a folder of the embedded one, or the URL of one on PostgreSQL. */
    template: { kind: 'embedded'; folder: string } | { kind: 'postgres'; server: string; name: string }
  }
}

/** Whether the tests run on PostgreSQL and not on the embedded database. */
export const onPostgres = Boolean(process.env['TEST_DATABASE_URL'])

/** Makes one migrated database before all tests; each test file works on a copy of it. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = process.env['TEST_DATABASE_URL']
  return server ? postgresTemplate(server, provide) : embeddedTemplate(provide)
}

async function embeddedTemplate(provide: TestProject['provide']): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-template-'))
  await migrated({ kind: 'embedded', directory: folder, onError: raise })
  provide('template', { kind: 'embedded', folder })
  return async () => rmSync(folder, { recursive: true, force: true })
}

async function postgresTemplate(server: string, provide: TestProject['provide']): Promise<() => Promise<void>> {
  const name = `latchkey_template_${process.pid}`
  await onServer(server, `create database ${name}`)
  await migrated({ kind: 'postgres', url: databaseUrl(server, name), limits: 'migration', onError: raise })
  provide('template', { kind: 'postgres', server, name })
  return () => onServer(server, `drop database ${name} with (force)`)
}

async function migrated(config: Parameters<typeof openDatabase>[0]): Promise<void> {
  const { db, close } = await openDatabase(config)
  await migrate(db, [...authConfig.roles.keys()])
  await close()
}

function raise(error: Error): void {
  throw error
}

/** The URL of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on the server itself. */
export async function onServer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A fresh copy of the folder of an embedded database. */
export function copyFolder(folder: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-test-'))
  cpSync(folder, copy, { recursive: true })
  return copy
}
