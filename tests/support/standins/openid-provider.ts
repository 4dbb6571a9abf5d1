import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { type Account, type Configuration, Provider } from 'oidc-provider'
import type { Person } from './providers.ts'

/** An OpenID provider on this machine that is none of ours: `oidc-provider`, with its own pages. */
export interface OpenIdProvider {
  issuer: string
  /** Lets a service offer sign-in with it, as Example. */
  env: Record<string, string>
  /** Lets somebody sign in there. */
  add: (person: Person) => void
  close: () => Promise<void>
}

const clientSecret = 'secret-of-the-client'

/** Starts it on a free port, for a service that calls itself `origin`. */
export async function startOpenIdProvider(origin: string): Promise<OpenIdProvider> {
  const people = new Map<string, Person>()
  let answer: RequestListener = () => {}
  const server = createServer((incoming, outgoing) => answer(incoming, outgoing)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, await configuration(`${origin}/api/auth/callback/oidc`, people))
  const callback = provider.callback()
  answer = (incoming, outgoing) => void callback(incoming, outgoing)
  return {
    issuer,
    env: { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'latchkey', OIDC_CLIENT_SECRET: clientSecret, OIDC_NAME: 'Example' },
    add: (person) => void people.set(person.id, person),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function configuration(callback: string, people: Map<string, Person>): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return {
    clients: [
      {
        client_id: 'latchkey',
        client_secret: clientSecret,
        redirect_uris: [callback],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    issueRefreshToken: () => Promise.resolve(true),
    cookies: { keys: ['signs the cookies of the provider'] },
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'first' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'picture'] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AuthorizationCode: 60, AccessToken: 600, IdToken: 600 },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, sub) => accountOf(people.get(sub)),
  }
}

function accountOf(person: Person | undefined): Account | undefined {
  if (!person) return undefined
  const { id, email, isVerified, name, picture } = person
  return { accountId: id, claims: () => ({ sub: id, email, email_verified: isVerified, name, picture }) }
}

/**
 * Does at the provider what somebody does in a browser: signs in, and allows the service what it asks for, or not.
 * @returns where that leads back to
 */
export async function answerAt(url: string, login: string, allows = true): Promise<URL> {
  const cookies = new Map<string, string>()

  /** The page where somebody is after a click, or where they are led to from there. */
  async function go(to: string, form?: Record<string, string>): Promise<string> {
    const response = await fetch(to, {
      method: form ? 'POST' : 'GET',
      body: form ? new URLSearchParams(form) : null,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    for (const text of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      if (value) cookies.set(name, value)
    }
    await response.text()
    const next = new URL(response.headers.get('location') ?? to, to)
    return next.href === to || next.origin !== new URL(url).origin ? next.href : go(next.href)
  }

  const asked = await go(url)
  if (!allows) return new URL(await go(`${asked}/abort`))
  const consent = await go(asked, { prompt: 'login', login, password: 'any' })
  return new URL(await go(consent, { prompt: 'consent' }))
}
