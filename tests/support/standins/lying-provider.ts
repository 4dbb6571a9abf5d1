import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

type Claims = Record<string, unknown>

/** What a provider does otherwise than it should. A claim that is undefined is left out. */
export interface Lie {
  configuration?: object
  /** What it says of whoever signs in, everywhere, or only there. */
  person?: Claims
  idToken?: Claims
  userInfo?: Claims
  header?: object
  /** Makes the ID token in place of the provider. */
  sign?: (claims: Claims) => Promise<string> | string
  /** Beside or in place of what the token endpoint answers. */
  token?: object
  /** Answers in place of the provider, by path. */
  answers?: Record<string, RequestListener>
}

/** An OpenID provider on this machine that answers as a test says. */
export interface LyingProvider {
  issuer: string
  /** Lets a service offer sign-in with it, as Example. */
  env: Record<string, string>
  lie: Lie
  /** Of the request to sign in that comes next. */
  nonce: string
  /** The paths that were asked for. */
  asked: string[]
  close: () => Promise<void>
}

export const clientId = 'latchkey'
export const clientSecret = 'secret-of-the-client'
export const accessToken = 'an-access-token'
export const configurationPath = '/.well-known/openid-configuration'

/** Starts it on a free port, or on one of a test. It publishes two RSA keys and one of a curve. */
export async function startLyingProvider(port = 0): Promise<LyingProvider> {
  const [first, second, curve] = await Promise.all([newKey('RS256', 'a'), newKey('RS256', 'b'), newKey('ES256', 'c')])
  const server = createServer((incoming, outgoing) => void respond(incoming, outgoing)).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const state: LyingProvider = {
    issuer,
    env: { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret, OIDC_NAME: 'Example' },
    lie: {},
    nonce: '',
    asked: [],
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  function idToken(): Promise<string> | string {
    const now = Math.floor(Date.now() / 1_000)
    const stated = { iss: issuer, aud: clientId, iat: now, exp: now + 300, nonce: state.nonce }
    const claims = { ...stated, ...state.lie.person, ...state.lie.idToken }
    if (state.lie.sign) return state.lie.sign(claims)
    const header = { alg: 'RS256', kid: 'a', ...state.lie.header }
    return new SignJWT(claims)
      .setProtectedHeader(header)
      .sign(header.alg === 'ES256' ? curve.privateKey : first.privateKey)
  }

  async function documentAt(path: string): Promise<unknown> {
    if (path === configurationPath)
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/jwks`,
        id_token_signing_alg_values_supported: ['RS256', 'ES256', 'HS256', 'none'],
        ...state.lie.configuration,
      }
    if (path === '/jwks') return { keys: [first.jwk, second.jwk, curve.jwk] }
    if (path === '/token')
      return { access_token: accessToken, token_type: 'Bearer', id_token: await idToken(), ...state.lie.token }
    return { ...state.lie.person, ...state.lie.userInfo }
  }

  async function respond(incoming: IncomingMessage, outgoing: Parameters<RequestListener>[1]): Promise<void> {
    const { pathname } = new URL(incoming.url ?? '/', issuer)
    state.asked.push(pathname)
    const answer = state.lie.answers?.[pathname]
    if (answer) return answer(incoming, outgoing)
    outgoing.setHeader('content-type', 'application/json').end(JSON.stringify(await documentAt(pathname)))
  }

  return state
}

async function newKey(alg: string, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  const jwk: JWK = { ...(await exportJWK(publicKey)), alg, use: 'sig', kid }
  return { privateKey, jwk }
}
