import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { mailFinding } from '../../src/doctor/mail.ts'
import { startMailServer } from '../support/mail-server.ts'
import { hasOpenssl, makeAuthority } from '../support/standins/certificates.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const server = await startMailServer({ strangers: ['eve'] })
const saying = (what: RegExp) => expect.stringMatching(what) as string
const at = (who: string) => server.url.replace('//', `//${who}@`)

test('a mail server that lets the service sign in is fine, and is sent nothing', async () => {
  expect(await mailFinding(at('ada:canary-1'))).toMatchObject({ check: 'mail', level: 'ok' })

  expect(server.passwords).toEqual(['canary-1'])
  expect(server.mails).toEqual([])
  await expect.poll(() => server.connections.now).toBe(0)
})

test('one that asks for no password is fine, too', async () => {
  expect(await mailFinding(server.url)).toMatchObject({ level: 'ok' })
})

/** A server that says one thing to whoever comes. */
async function startSaying(words: string): Promise<string> {
  const rude = createServer((socket) => void socket.on('error', () => {}).end(words)).listen(0, '127.0.0.1')
  await once(rude, 'listening')
  onTestFinished(() => void rude.close())
  return `smtp://127.0.0.1:${(rude.address() as AddressInfo).port}`
}

test.each<[string, () => Promise<string> | string, RegExp, RegExp]>([
  ['refuses the sign-in', () => at('eve:canary-2'), /refuses the sign-in \(535\)/, /password in SMTP_URL/],
  [
    'is not there',
    async () => `smtp://ada:canary@127.0.0.1:${await freePort()}`,
    /cannot be reached: .*ECONNREFUSED/,
    /port/,
  ],
  ['has no such name', () => 'smtp://ada:canary@nowhere.invalid', /cannot be reached: .*(ENOTFOUND|EAI_AGAIN)/, /host/],
  ['speaks no TLS, where it is to', () => server.url.replace('smtp:', 'smtps:'), /TLS of the mail server/, /scheme/],
  [
    'wants nobody',
    () => startSaying('554 5.7.1 canary@example.com is a spammer\r\n'),
    /cannot be reached: status 554/,
    /may be/,
  ],
  ['is none', () => startSaying('HTTP/1.1 400 canary\r\n\r\n'), /: it does not speak SMTP$/, /port/],
])('one that %s is a problem, and no secret is told', async (_name, url, what, mend) => {
  const finding = await mailFinding(await url())

  expect(finding).toEqual({ check: 'mail', level: 'problem', what: saying(what), mend: saying(mend) })
  expect(JSON.stringify(finding)).not.toMatch(/canary/)
})

describe.skipIf(!hasOpenssl() && !process.env['REQUIRE_PACKAGES'])('one that speaks TLS (needs openssl)', () => {
  test('with a certificate of nobody known is a problem', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-smtp-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const certificate = makeAuthority(folder).issue(['localhost'])
    const { port } = await startMailServer({ tls: { certificate, begins: 'at once' } })

    const finding = await mailFinding(`smtps://ada:canary-3@localhost:${port}`)

    expect(finding).toMatchObject({
      level: 'problem',
      what: saying(/TLS of the mail server is not good: unable to verify/),
    })
    expect(JSON.stringify(finding)).not.toContain('canary-3')
  })
})
