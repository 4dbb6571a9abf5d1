import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { startMailServer } from '../support/mail-server.ts'
import { buildService, type ServiceProcess, startProgram } from '../support/service-process.ts'
import { type Authority, hasOpenssl, makeAuthority } from '../support/standins/certificates.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { newUser } from '../support/visitor.ts'

const ways = [
  ['smtps://', 'at once'],
  ['smtp://', 'by STARTTLS'],
] as const

describe.skipIf(!hasOpenssl() && !process.env['REQUIRE_PACKAGES'])(
  'R-37 a mail server that speaks TLS (needs openssl)',
  () => {
    const root = buildService()

    describe.each(ways)('reached by %s, with TLS %s,', (scheme, begins) => {
      const password = 'canary-of-the-mail-server'
      let trusted: Authority
      let stranger: Authority
      let server: Awaited<ReturnType<typeof startMailServer>>
      let service: ServiceProcess

      beforeAll(async () => {
        const stops: (() => Promise<void>)[] = []
        const whenDone = (stop: () => Promise<void>) => void stops.unshift(stop)
        const [folder, other] = [newFolder(whenDone), newFolder(whenDone)]
        trusted = makeAuthority(folder)
        stranger = makeAuthority(other)
        server = await startMailServer({ tls: { certificate: trusted.issue(['localhost']), begins }, whenDone })
        const env = {
          PORT: String(await freePort()),
          RATE_LIMIT: '0',
          SMTP_URL: `${scheme}ada:${password}@localhost:${server.port}`,
          MAIL_FROM: 'auth@example.com',
          NODE_EXTRA_CA_CERTS: trusted.path,
        }
        service = startProgram([process.execPath, join(root, 'dist/src/main.js')], env, folder, whenDone)
        return async () => {
          for (const stop of stops) await stop()
        }
      })

      async function signUp(): Promise<string> {
        const url = await service.ready()
        const user = newUser()
        const response = await fetch(`${url}/api/auth/sign-up/email`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: url },
          body: JSON.stringify(user),
        })
        expect([response.status, await response.json()]).toMatchObject([200, { token: null }])
        return user.email
      }

      const mailsTo = (email: string) => server.mails.filter(({ to }) => to.includes(email))

      test('gets the mail, encrypted, when its certificate is good', async () => {
        const email = await signUp()

        await expect.poll(() => mailsTo(email), { timeout: 10_000 }).toMatchObject([{ isSecure: true }])
        expect(server.passwords).toEqual([password])
      })

      test.each<[string, () => ReturnType<Authority['issue']>, RegExp]>([
        ['has expired', () => trusted.issue(['localhost'], -1), /certificate has expired/],
        ['is of another name', () => trusted.issue(['mail.example.com']), /does not match certificate's altnames/],
        ['is of nobody known', () => stranger.issue(['localhost']), /unable to verify the first certificate/],
      ])('gets nothing when its certificate %s, until that is put right', async (_what, certificate, reason) => {
        const [given, known] = [server.passwords.length, service.log().length]
        server.present(certificate())
        const email = await signUp()

        const failures = () =>
          service
            .log()
            .slice(known)
            .filter(({ msg }) => msg === 'mail could not be sent, trying again')
        await expect.poll(failures, { timeout: 10_000 }).not.toEqual([])
        expect(failures()[0]).toMatchObject({ err: { message: expect.stringMatching(reason) } })
        expect([mailsTo(email), server.passwords.length]).toEqual([[], given])
        expect(service.output()).not.toContain(password)

        server.present(trusted.issue(['localhost']))
        await expect.poll(() => mailsTo(email).length, { timeout: 30_000 }).toBe(1)
      })
    })
  },
)

function newFolder(whenDone: (stop: () => Promise<void>) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-smtp-'))
  whenDone(async () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
