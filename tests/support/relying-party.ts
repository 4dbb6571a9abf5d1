import * as client from 'openid-client'
import type { SignedIn, TestService } from './harness.ts'
import { createVisitor, type Sight, type Visitor } from './visitor.ts'

export const redirectUri = 'http://127.0.0.1:4999/callback'

export interface RegisteredClient {
  id: string
  secret: string | null
}

/** A client that an admin registers, with `values` in place of what most clients are. */
export async function registerClient(service: TestService, values: object = {}): Promise<RegisteredClient> {
  const { token } = await service.createSignedIn('admin')
  const json = {
    name: 'Weather',
    redirectUris: [redirectUri],
    scopes: ['openid', 'profile', 'email', 'offline_access', 'account:read', 'account:write', 'users:read'],
    ...values,
  }
  const response = await service.request('/api/v1/clients', { token, json })
  if (response.status !== 201) throw new Error(await response.text())
  return (await response.json()) as RegisteredClient
}

export interface RelyingParty extends RegisteredClient {
  config: client.Configuration
}

/** An application that signs people in by the service, with the certified client of JavaScript. */
export async function createRelyingParty(service: TestService, registered: RegisteredClient): Promise<RelyingParty> {
  const { id, secret } = registered
  const config = await client.discovery(
    new URL(`${service.baseUrl}/api/auth`),
    id,
    undefined,
    secret === null ? client.None() : client.ClientSecretBasic(secret),
    { execute: [client.allowInsecureRequests] },
  )
  return { ...registered, config }
}

export interface SignInRequest {
  /** Where the browser is sent. */
  url: URL
  verifier: string
  state: string
  nonce: string
}

/** What an application sends a browser to the service with. */
export async function beginSignIn(
  { config }: RelyingParty,
  scope = 'openid email account:read',
  more: Record<string, string> = {},
): Promise<SignInRequest> {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  return { url, verifier, state, nonce }
}

/** Follows a request in the browser of somebody who allows what is asked. Returns where it leads outside the service. */
export async function allow(visitor: Visitor, { url }: Pick<SignInRequest, 'url'>): Promise<URL> {
  let sight = await visitor.open(`${url.pathname}${url.search}`)
  if (sight.at.startsWith('/consent')) sight = await decide(visitor, sight, 'allow')
  return new URL(sight.at)
}

/** Answers the question of the consent page. */
export function decide(visitor: Visitor, { at, html }: Sight, decision: 'allow' | 'deny'): Promise<Sight> {
  const user = /name="user" value="([^"]*)"/.exec(html)?.[1] ?? ''
  return visitor.submit('/consent', { oauth_query: at.slice(at.indexOf('?') + 1), user, decision })
}

/** Exchanges the code with which a browser came back. */
export function redeem({ config }: RelyingParty, callback: URL, { verifier, state, nonce }: SignInRequest) {
  return client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  })
}

/** The tokens that an application gets for somebody who is signed in and allows it. */
export async function tokensFor(service: TestService, party: RelyingParty, user: SignedIn, scope?: string) {
  const request = await beginSignIn(party, scope)
  return redeem(party, await allow(createVisitor(service, user.cookie), request), request)
}
