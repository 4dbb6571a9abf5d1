import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Certificate } from './certificates.ts'
import { halfHash } from './half-hash.ts'

/** The names of Google and GitHub that the service and the browser ask for. */
export const providerNames = [
  'accounts.google.com',
  'oauth2.googleapis.com',
  'www.googleapis.com',
  'github.com',
  'api.github.com',
]

/** Who signs in at a stand-in. */
export interface Person {
  id: string
  email?: string
  isVerified?: boolean | string
  name?: string
  picture?: string
}

/** How a stand-in behaves, beside answering as it should. */
export type Mood = 'good' | 'denied' | 'down' | 'slow' | 'garbage' | 'huge' | 'redirecting'

/** Google and GitHub on this machine. */
export interface StandIns {
  port: number
  person: Person
  mood: Mood
  /** What was asked, by host and path. */
  asked: string[]
  /** What Google's ID tokens state otherwise; what is undefined is left out. */
  claims: Record<string, unknown>
  /** Makes another ID token of the claims. */
  idToken: ((claims: object) => Promise<string> | string) | undefined
  /** Signs what Google publishes a key for, as `standin`. */
  googleKey: CryptoKey
  close: () => Promise<void>
}

interface Grant {
  clientId: string
  redirectUri: string
  challenge: string
  nonce: string | undefined
  person: Person
}

/** Starts both behind one certificate. A code is good once, for who proves to have asked for it (RFC 7636). */
export async function startStandIns({ key, cert }: Certificate): Promise<StandIns> {
  const grants = new Map<string, Grant>()
  const people = new Map<string, Person>()
  const { privateKey: googleKey, publicKey } = await generateKeyPair('RS256')
  const certs = { keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256', use: 'sig', kid: 'standin' }] }
  const state: StandIns = {
    port: 0,
    person: { id: '1' },
    mood: 'good',
    asked: [],
    claims: {},
    idToken: undefined,
    googleKey,
    close: async () => {},
  }

  function authorize(url: URL, outgoing: ServerResponse): void {
    const {
      client_id = '',
      redirect_uri = '',
      code_challenge = '',
      nonce,
      state: kept = '',
    } = Object.fromEntries(url.searchParams)
    const back = new URL(redirect_uri)
    back.searchParams.set('state', kept)
    if (state.mood === 'denied') back.searchParams.set('error', 'access_denied')
    else {
      const code = randomUUID()
      grants.set(code, {
        clientId: client_id,
        redirectUri: redirect_uri,
        challenge: code_challenge,
        nonce,
        person: state.person,
      })
      back.searchParams.set('code', code)
    }
    outgoing.setHeader('content-type', 'text/html')
    outgoing.end(
      `<!doctype html><title>${url.host}</title><h1>${url.host}</h1><a href="${back.href.replaceAll('&', '&amp;')}">Continue</a>`,
    )
  }

  async function token(incoming: IncomingMessage, answer: (status: number, body: object) => void): Promise<void> {
    const given = Object.fromEntries(new URLSearchParams(await text(incoming)))
    const code = given['code'] ?? ''
    const grant = grants.get(code)
    grants.delete(code)
    const challenge = createHash('sha256')
      .update(given['code_verifier'] ?? '')
      .digest('base64url')
    const isGood = grant && grant.challenge === challenge && grant.redirectUri === given['redirect_uri']
    if (!isGood || !given['client_secret']) return answer(400, { error: 'invalid_grant' })
    const access = randomUUID()
    people.set(access, grant.person)
    const claims = { ...claimsOf(grant), at_hash: halfHash(access), ...state.claims }
    const sign = () => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'standin' }).sign(googleKey)
    const id_token = await (state.idToken?.(claims) ?? sign())
    answer(200, { access_token: access, token_type: 'bearer', expires_in: 3_600, id_token })
  }

  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', `https://${incoming.headers.host}`)
    const at = `${url.hostname}${url.pathname}`
    state.asked.push(at)
    // Browsers ask for it unasked.
    if (url.pathname === '/favicon.ico') return void outgoing.writeHead(204).end()
    const answer = (status: number, body: unknown) => {
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (at === 'accounts.google.com/o/oauth2/v2/auth' || at === 'github.com/login/oauth/authorize')
      return authorize(url, outgoing)
    if (state.mood === 'slow') return
    if (state.mood === 'down') return void outgoing.destroy()
    if (state.mood === 'redirecting')
      return void outgoing.writeHead(302, { location: 'https://github.com/elsewhere' }).end()
    if (state.mood === 'garbage')
      return void outgoing.writeHead(200, { 'content-type': 'application/json' }).end('<html>')
    if (state.mood === 'huge')
      return void outgoing.writeHead(200, { 'content-type': 'application/json' }).end(`"${'x'.repeat(5_000_000)}"`)
    if (at === 'oauth2.googleapis.com/token' || at === 'github.com/login/oauth/access_token')
      return void token(incoming, answer)
    if (at === 'www.googleapis.com/oauth2/v3/certs') return answer(200, certs)
    const person = people.get(/^bearer (.+)$/i.exec(incoming.headers.authorization ?? '')?.[1] ?? '')
    if (!person) return answer(401, { message: 'Bad credentials' })
    if (at === 'api.github.com/user') return answer(200, gitHubUser(person))
    if (at === 'api.github.com/user/emails') return answer(200, gitHubEmails(person))
    answer(404, {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  state.port = (server.address() as AddressInfo).port
  state.close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return state
}

/** What Google tells of a person. */
function claimsOf({ clientId, nonce, person }: Grant) {
  const now = Math.floor(Date.now() / 1_000)
  return {
    iss: 'https://accounts.google.com',
    aud: clientId,
    sub: person.id,
    iat: now,
    exp: now + 3_600,
    name: person.name,
    picture: person.picture,
    email: person.email,
    email_verified: person.isVerified,
    nonce,
  }
}

function gitHubUser({ id, name, picture }: Person) {
  return { id: Number(id), login: `user-${id}`, name: name ?? null, email: null, avatar_url: picture ?? null }
}

function gitHubEmails({ email, isVerified }: Person) {
  return email === undefined ? [] : [{ email, primary: true, verified: isVerified ?? false, visibility: null }]
}
