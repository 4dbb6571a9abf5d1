import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { onPostgres } from '../support/database-template.ts'
import { secret } from '../support/harness.ts'
import { buildService, startProcess } from '../support/service-process.ts'
import { hasOpenssl } from '../support/standins/certificates.ts'
import { freePort, startPostgres } from '../support/throwaway-postgres.ts'

describe.skipIf(!onPostgres || !(hasOpenssl() || process.env['REQUIRE_PACKAGES']))(
  'R-39 a PostgreSQL that speaks TLS (needs PostgreSQL and openssl)',
  () => {
    const root = buildService()
    let authority = ''
    let url: URL

    beforeAll(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'latchkey-tls-'))
      authority = join(folder, 'server.crt')
      const key = join(folder, 'server.key')
      const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
      const files = ['-keyout', key, '-out', authority]
      execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...names, ...files], {
        stdio: 'pipe',
      })
      const server = await startPostgres({
        tls: { certificate: readFileSync(authority, 'utf8'), key: readFileSync(key, 'utf8') },
      })
      url = new URL(server.url)
      url.hostname = 'localhost'
      return async () => {
        await server.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    })

    function urlWith(parameters: Record<string, string>): string {
      const changed = new URL(url)
      for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value)
      return changed.href
    }

    /** Whether the connection is encrypted, as the server sees it. */
    async function isEncrypted(at: string): Promise<boolean | undefined> {
      const { db, close } = await openDatabase({ kind: 'postgres', url: at, limits: 'request', onError: () => {} })
      onTestFinished(close)
      const { rows } = await sql<{ ssl: boolean }>`
      select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(db)
      return rows[0]?.ssl
    }

    test('is reached encrypted and verified where the URL demands it, and plainly where it does not', async () => {
      expect(await isEncrypted(urlWith({ sslmode: 'verify-full', sslrootcert: authority }))).toBe(true)
      expect(await isEncrypted(url.href)).toBe(false)
    })

    test('is refused with a certificate of nobody known, or of another name', async () => {
      await expect(isEncrypted(urlWith({ sslmode: 'verify-full' }))).rejects.toThrow('self-signed certificate')
      const byAddress = new URL(urlWith({ sslmode: 'verify-full', sslrootcert: authority }))
      byAddress.hostname = '127.0.0.1'
      await expect(isEncrypted(byAddress.href)).rejects.toThrow(/does not match certificate/)
    })

    test('ends the service in one line when its certificate is refused', async () => {
      const port = String(await freePort())
      const settings = { PORT: port, BETTER_AUTH_URL: `http://localhost:${port}`, BETTER_AUTH_SECRET: secret }
      const service = startProcess(root, { ...settings, DATABASE_URL: urlWith({ sslmode: 'verify-full' }) })

      expect(await service.exited).toEqual({ code: 1, signal: null })
      expect(service.output().trim().split('\n').at(-1)).toMatch(
        /^The database cannot be used: self-signed certificate/,
      )
      expect(service.output()).not.toMatch(/^ +at /m)
    })
  },
)
