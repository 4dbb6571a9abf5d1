import { randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { base64url, type CryptoKey, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { createTestDatabase, type RequestOptions, secret } from '../harness.ts'
import { startMailServer } from '../mail-server.ts'
import { providerEnv } from '../provider-env.ts'
import { buildService, type ServiceProcess, startProgram } from '../service-process.ts'
import { freePort } from '../throwaway-postgres.ts'
import type { Visitor } from '../visitor.ts'
import { makeCertificate } from './certificates.ts'
import { openPage } from './open-page.ts'
import { providerNames, startStandIns } from './providers.ts'

/** What the header of an ID token of Google says. */
export const header = { alg: 'RS256', kid: 'standin' }

/** A part of a token. */
export const segment = (value: object) => base64url.encode(JSON.stringify(value))

/**
 * Starts the service of a file of tests, with stand-ins for Google and GitHub, who forget what they were told to say
 * before each test. It is a process of its own: only at its start can it be told to trust them.
 */
export async function startAtStandIns({ mails: isMailing = true } = {}) {
  const root = buildService()
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-standins-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const certificate = makeCertificate(folder, providerNames)
  const standIns = await startStandIns(certificate)
  afterAll(standIns.close)
  const { env: database, remove } = await createTestDatabase()
  afterAll(remove)
  const { url: mailUrl, mails } = await startMailServer()
  const port = await freePort()
  const origin = `http://localhost:${port}`

  let service: ServiceProcess | undefined
  const stops: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const stop of stops) await stop()
  })

  beforeAll(() => {
    const settings = {
      ...database,
      ...providerEnv,
      PORT: String(port),
      BETTER_AUTH_URL: origin,
      BETTER_AUTH_SECRET: secret,
      RATE_LIMIT: '0',
      ...(isMailing && { SMTP_URL: mailUrl, MAIL_FROM: 'auth@example.com' }),
      NODE_EXTRA_CA_CERTS: certificate.authority,
      NODE_OPTIONS: `--import=${pathToFileURL('tests/support/standins/preload.mjs').href}`,
      STANDIN_NAMES: providerNames.join(','),
      STANDIN_PORT: String(standIns.port),
    }
    const program = [process.execPath, join(root, 'dist/src/main.js')]
    service = startProgram(program, settings, folder, (stop) => stops.push(stop))
  })

  beforeEach(async () => {
    expect(await service?.ready()).toBe(origin)
    standIns.claims = {}
    standIns.idToken = undefined
    standIns.person = { id: String(randomInt(1e9)), email: `${randomUUID()}@example.com`, isVerified: true }
  })

  /** An ID token of Google, unless it is signed by another. */
  const signed = (given: object, head = header, key: CryptoKey | Uint8Array = standIns.googleKey) =>
    new SignJWT({ ...given }).setProtectedHeader(head).sign(key)

  /** Asks Better-Auth as a page of the service does. */
  function post(path: string, json: object): Promise<Response> {
    return fetch(`${origin}/api/auth${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: JSON.stringify(json),
    })
  }

  /** Sends what `createVisitor` sends. */
  const request = (path: string, { method = 'GET', headers = {}, body }: RequestOptions = {}) =>
    fetch(`${origin}${path}`, { method, headers, body: body ?? null, redirect: 'manual' })

  /** What the page of a provider leads back to, once somebody has allowed there what is asked for. */
  async function answerAt(url: string): Promise<string> {
    const [, back = ''] = /href="([^"]+)"/.exec(await openPage(new URL(url), standIns.port, certificate)) ?? []
    return back.replaceAll('&amp;', '&')
  }

  /** Goes to a provider with a browser, and signs in there: where that leads back to. */
  async function leave(visitor: Visitor, provider: string): Promise<URL> {
    const { at } = await visitor.submit('/sign-in/social', { provider })
    return new URL(await answerAt(at))
  }

  /** Signs in at a provider, and comes back: where that leads, and with which cookies. */
  async function visit(provider: string) {
    const begun = await post('/sign-in/social', { provider, callbackURL: '/account' })
    const { url } = (await begun.json()) as { url: string }
    const cookie = begun.headers.getSetCookie().map((value) => value.split(';')[0])
    const response = await fetch(await answerAt(url), {
      redirect: 'manual',
      headers: { cookie: cookie.join('; ') },
    })
    return { at: response.headers.get('location') ?? '', cookies: response.headers.getSetCookie().join() }
  }

  /** What the service answers, as JSON, to whoever brings the cookies of a visit. */
  async function ask(path: string, cookies: string): Promise<unknown> {
    const [cookie = ''] = /[\w.-]*session_token=[^;]+/.exec(cookies) ?? []
    return (await fetch(`${origin}/api/auth${path}`, { headers: { cookie } })).json()
  }

  const door = { request, baseUrl: origin }
  return { standIns, mails, door, signed, post, leave, visit, ask, log: () => service?.log() ?? [] }
}
