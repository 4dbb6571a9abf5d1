import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type FrontProxy, startFrontProxy } from '../support/front-proxy.ts'
import { buildService, type ServiceProcess, startProgram } from '../support/service-process.ts'
import { type Authority, hasOpenssl, makeAuthority } from '../support/standins/certificates.ts'
import { startLyingProvider } from '../support/standins/lying-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const root = buildService()

/** What is answered to who wants to sign in with the provider. */
async function ask(service: ServiceProcess): Promise<[status: number, body: unknown]> {
  const url = await service.ready()
  const response = await fetch(`${url}/api/auth/sign-in/social`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ provider: 'oidc', callbackURL: '/' }),
  })
  return [response.status, await response.json()]
}

const refused = [503, { code: 'PROVIDER_UNAVAILABLE' }]

/** Why the provider could not be discovered the last time, as the log has it. */
const reasonIn = (service: ServiceProcess) =>
  service.log().findLast(({ msg }) => String(msg).startsWith('Discovery fetch failed'))?.['msg'] ?? ''

describe.skipIf(!hasOpenssl() && !process.env['REQUIRE_PACKAGES'])('R-38 a provider with TLS (needs openssl)', () => {
  let folder = ''
  let trusted: Authority
  let front: FrontProxy
  let start: (env?: Record<string, string>) => Promise<ServiceProcess>

  beforeAll(async () => {
    const stops: (() => Promise<void> | void)[] = []
    const whenDone = (stop: () => Promise<void> | void) => void stops.unshift(stop)
    const newFolder = () => {
      const made = mkdtempSync(join(tmpdir(), 'latchkey-provider-'))
      whenDone(() => rmSync(made, { recursive: true, force: true }))
      return made
    }
    folder = newFolder()
    trusted = makeAuthority(folder)
    const provider = await startLyingProvider()
    whenDone(provider.close)
    front = await startFrontProxy({}, trusted.issue(['localhost']), whenDone)
    front.target = provider.issuer
    provider.lie = { configuration: { issuer: front.url } }
    start = async (env) => {
      const settings = { ...provider.env, OIDC_ISSUER: front.url, NODE_EXTRA_CA_CERTS: trusted.path }
      const program = [process.execPath, join(root, 'dist/src/main.js')]
      return startProgram(
        program,
        { PORT: String(await freePort()), RATE_LIMIT: '0', ...settings, ...env },
        newFolder(),
        whenDone,
      )
    }
    return async () => {
      for (const stop of stops) await stop()
    }
  })

  test('is used once its certificate is good: not while that has expired, is of another, or of nobody’s', async () => {
    const service = await start()
    for (const [certificate, why] of [
      [trusted.issue(['localhost'], -1, 10), 'certificate has expired'],
      [trusted.issue(['login.example.com']), 'does not match certificate'],
      [makeAuthority(mkdtempSync(join(folder, 'other-'))).issue(['localhost']), 'unable to verify'],
    ] as const) {
      front.present(certificate)
      expect(await ask(service)).toMatchObject(refused)
      await expect.poll(() => reasonIn(service)).toContain(why)
    }
    front.present(trusted.issue(['localhost']))

    expect(await ask(service)).toMatchObject([200, { url: expect.stringContaining('/authorize?') }])
  })

  test('whose name has no address is not used, and passwords are checked', async () => {
    // No resolver is asked for a label of more than 63 letters (RFC 1035 section 2.3.4).
    const service = await start({ OIDC_ISSUER: `https://${'a'.repeat(64)}.example` })

    expect(await ask(service)).toMatchObject(refused)
    await expect.poll(() => reasonIn(service)).toContain('ENOTFOUND')
    const url = await service.ready()
    const response = await fetch(`${url}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ email: 'nobody@example.com', password: 'correct horse battery' }),
    })
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'INVALID_EMAIL_OR_PASSWORD' }])
  })
})
