import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import type { SignedIn, TestService } from './harness.ts'
import { allow, type RegisteredClient, redirectUri } from './relying-party.ts'
import { createVisitor, type Visitor } from './visitor.ts'

/** Parameters of a request; what is undefined is left out. */
export type Fields = Record<string, string | undefined>

/** An answer of the provider. */
export interface Reply {
  status: number
  headers: Headers
  body: Record<string, unknown>
}

export interface SendOptions {
  /** How the client says who it is; `none` with its id alone. */
  auth?: 'basic' | 'post' | 'none'
  headers?: Record<string, string>
}

/** What a client keeps of an authorization request. */
export interface Begun {
  /** Where the browser is sent. */
  path: string
  verifier: string
}

/** A code, with what is needed to exchange it. */
export interface Code {
  code: string
  verifier: string
}

/** The tokens of an exchange that went well. */
export interface Tokens {
  access_token: string
  refresh_token: string
  id_token: string
}

export type BareClient = ReturnType<typeof createBareClient>

/** A client without a library: it can send what no library would. */
export function createBareClient(service: TestService, registered: RegisteredClient) {
  const { id, secret } = registered

  /** Sends a form to an endpoint of the provider. */
  async function send(endpoint: string, fields: Fields, { auth = 'basic', headers = {} }: SendOptions = {}) {
    const own = { basic: {}, none: { client_id: id }, post: { client_id: id, client_secret: secret ?? '' } }[auth]
    const response = await service.request(`/api/auth/oauth2/${endpoint}`, {
      method: 'POST',
      body: encode({ ...own, ...fields }),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(auth === 'basic' && { authorization: basic(id, secret ?? '') }),
        ...headers,
      },
    })
    return toReply(response)
  }

  const redeem = ({ code, verifier }: Code, more: Fields = {}, options: SendOptions = {}) =>
    send(
      'token',
      { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier, ...more },
      options,
    )

  /** An authorization request with PKCE. */
  function begin(more: Fields = {}): Begun {
    const verifier = randomBytes(32).toString('base64url')
    const query = encode({
      client_id: id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid email account:read offline_access',
      state: randomBytes(8).toString('hex'),
      nonce: randomBytes(8).toString('hex'),
      code_challenge: challengeOf(verifier),
      code_challenge_method: 'S256',
      ...more,
    })
    return { path: `/api/auth/oauth2/authorize?${query}`, verifier }
  }

  /** A code for somebody who allows what is asked. */
  async function codeFor(visitor: Visitor, more: Fields = {}): Promise<Code> {
    const { path, verifier } = begin(more)
    const back = await allow(visitor, { url: new URL(path, service.baseUrl) })
    const code = back.searchParams.get('code')
    if (code === null) throw new Error(`There is no code in ${back.href}`)
    return { code, verifier }
  }

  return {
    ...registered,
    send,
    begin,
    codeFor,
    redeem,
    refresh: (token: string, more: Fields = {}, options: SendOptions = {}) =>
      send('token', { grant_type: 'refresh_token', refresh_token: token, ...more }, options),
    introspect: (token: string, options?: SendOptions) => send('introspect', { token }, options),
    revoke: (token: string, options?: SendOptions) => send('revoke', { token }, options),
    /** The tokens for somebody who is signed in and allows what is asked. */
    async tokensFor(user: SignedIn, more: Fields = {}): Promise<Tokens> {
      const reply = await redeem(await codeFor(createVisitor(service, user.cookie), more))
      return tokensIn(reply)
    },
  }
}

/** The tokens of an answer, which must be one of success. */
export function tokensIn({ status, body }: Reply): Tokens {
  expect([status, body['error']]).toEqual([200, undefined])
  return body as unknown as Tokens
}

/** What an answer of refusal says. */
export const refusalOf = ({ status, body }: Reply) => [status, body['error']]

/** Where the tokens of somebody are still good. */
export async function useOf(service: TestService, client: BareClient, { access_token, refresh_token }: Tokens) {
  return {
    api: (await service.request('/api/v1/auth/me', { token: access_token })).status,
    userInfo: (await userInfo(service, access_token)).status,
    access: (await client.introspect(access_token)).body['active'],
    refresh: (await client.introspect(refresh_token)).body['active'],
  }
}
export const good = { api: 200, userInfo: 200, access: true, refresh: true }
export const over = { api: 401, userInfo: 401, access: false, refresh: false }

/** What the userinfo endpoint answers to a token. */
export async function userInfo({ request }: TestService, token: string): Promise<Reply> {
  return toReply(await request('/api/auth/oauth2/userinfo', { token }))
}

/** The value of an `Authorization` header. @see RFC 6749 section 2.3.1 */
export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
}

export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

function encode(fields: Fields): string {
  const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return new URLSearchParams(given).toString()
}

async function toReply(response: Response): Promise<Reply> {
  const text = await response.text()
  const body = text === '' ? {} : ((JSON.parse(text) ?? {}) as Record<string, unknown>)
  return { status: response.status, headers: response.headers, body }
}
