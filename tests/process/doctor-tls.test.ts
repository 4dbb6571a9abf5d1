import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { askRunning } from '../../src/admin/socket.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { onPostgres } from '../support/database-template.ts'
import { byCheck } from '../support/examined.ts'
import { appending, type FrontProxy, type Habits, startFrontProxy, without } from '../support/front-proxy.ts'
import { buildService, type ServiceProcess, startProgram } from '../support/service-process.ts'
import { type Authority, type Certificate, hasOpenssl, makeAuthority } from '../support/standins/certificates.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()
const saying = (what: RegExp) => expect.stringMatching(what) as string

describe.skipIf(onPostgres || (!hasOpenssl() && !process.env['REQUIRE_PACKAGES']))(
  'a public URL with TLS (needs openssl; once)',
  () => {
    let folder = ''
    let trusted: Authority
    let proxy: FrontProxy
    let service: ServiceProcess

    beforeAll(async () => {
      const stops: (() => Promise<void>)[] = []
      const whenDone = (stop: () => Promise<void>) => void stops.unshift(stop)
      folder = mkdtempSync(join(tmpdir(), 'latchkey-doctor-'))
      trusted = makeAuthority(folder)
      proxy = await startFrontProxy(appending, trusted.issue(['localhost']), whenDone)
      const port = await freePort()
      proxy.target = `http://127.0.0.1:${port}`
      const env = {
        PORT: String(port),
        BETTER_AUTH_URL: proxy.url,
        TRUSTED_PROXIES: '127.0.0.2',
        NODE_EXTRA_CA_CERTS: trusted.path,
      }
      service = startProgram([process.execPath, join(root, 'dist/src/main.js')], env, folder, whenDone)
      return async () => {
        for (const stop of stops) await stop()
        rmSync(folder, { recursive: true, force: true })
      }
    })

    /** What is found while the proxy shows a certificate and has habits. */
    async function examinedWith(
      certificate: Certificate,
      habits: Habits = appending,
    ): Promise<Record<string, Finding>> {
      proxy.present(certificate)
      proxy.habits = habits
      await service.ready()
      const answer = await askRunning(join(folder, '.data'), { command: 'doctor' })
      return byCheck(JSON.parse(answer?.output ?? '') as Finding[])
    }

    test('is fine where all is as it should be: its cookies are for https, and browsers stay there', async () => {
      const found = await examinedWith(trusted.issue(['localhost'], 90))

      for (const check of ['public-url', 'certificate', 'hsts', 'caching', 'clock', 'forwarded-headers'])
        expect(found[check]).toMatchObject({ level: 'ok' })
      expect(found['cookies']).toMatchObject({ level: 'ok', what: saying(/__Host-/) })
    })

    test.each<[string, () => Certificate, RegExp]>([
      ['has expired', () => trusted.issue(['localhost'], -1, 9), /certificate has expired \(CERT_HAS_EXPIRED\)/],
      ['is of another name', () => trusted.issue(['auth.example.com']), /does not match certificate's altnames/],
      ['is of nobody known', stranger, /unable to verify the first certificate/],
    ])('whose certificate %s is a problem, and is not spoken to', async (_name, certificate, what) => {
      const found = await examinedWith(certificate())

      expect(found['public-url']).toMatchObject({
        level: 'problem',
        what: saying(what),
        mend: saying(/valid certificate/),
      })
      expect(found['forwarded-headers']).toBeUndefined()
    })

    function stranger(): Certificate {
      const other = mkdtempSync(join(tmpdir(), 'latchkey-doctor-'))
      onTestFinished(() => rmSync(other, { recursive: true, force: true }))
      return makeAuthority(other).issue(['localhost'])
    }

    test('whose certificate ends soon is a warning; one that never lives long is not', async () => {
      expect((await examinedWith(trusted.issue(['localhost'], 10.5, 80)))['certificate']).toMatchObject({
        level: 'warning',
        what: saying(/in 10 days$/),
      })
      expect((await examinedWith(trusted.issue(['localhost'], 5, 1)))['certificate']).toMatchObject({ level: 'ok' })
    })

    test.each<[string, string, string, Habits['response'], RegExp]>([
      [
        'hsts',
        'warning',
        'without HSTS',
        (headers) => without(headers, 'strict-transport-security'),
        /does not arrive/,
      ],
      [
        'hsts',
        'warning',
        'with HSTS that is over at once',
        (headers) => ({ ...headers, 'strict-transport-security': 'max-age=0' }),
        /does not arrive/,
      ],
      [
        'cookies',
        'problem',
        'with cookies for http',
        cookiesAs((text) => text.replace('; Secure', '')),
        /without Secure$/,
      ],
      [
        'cookies',
        'problem',
        'with renamed cookies',
        cookiesAs((text) => text.replace('__Host-', '')),
        /under a name without __Host-better-auth$/,
      ],
    ])('%s: %s %s', async (check, level, _name, response, what) => {
      const found = await examinedWith(trusted.issue(['localhost']), { ...appending, ...(response && { response }) })

      expect(found[check]).toMatchObject({ level, what: saying(what) })
    })

    function cookiesAs(change: (cookie: string) => string): Habits['response'] {
      return (headers) => ({
        ...headers,
        ...(headers['set-cookie'] && { 'set-cookie': headers['set-cookie'].map(change) }),
      })
    }
  },
)
