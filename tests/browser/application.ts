import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AuthorizationResponseError, buildEndSessionUrl, fetchUserInfo, ResponseBodyError } from 'openid-client'
import { afterAll } from 'vitest'
import { beginSignIn, type RelyingParty, redeem, type SignInRequest } from '../support/relying-party.ts'

/** An application of somebody else: whoever comes to it signs in by the service, and is greeted or told what went wrong. */
export interface Application {
  origin: string
  redirectUri: string
  /** Where it leads who wants to leave on to the service: it says who that is, unless it is asked with `?anybody`. */
  leaveUri: string
  /** Where it says goodbye to who is signed out. */
  goodbyeUri: string
  /** Gives it the client that it is at the service. */
  join: (party: RelyingParty) => void
  /** Leads who has come back on to another place at once. */
  leadOn: (url: string) => void
}

/** Starts an application at an origin of its own, on another site than the service, until the tests of the file end. */
export async function startApplication(): Promise<Application> {
  const pending = new Map<string | null, SignInRequest>()
  let party: RelyingParty | undefined
  let onward: string | undefined
  let idToken: string | undefined

  async function begin(query: URLSearchParams): Promise<string> {
    if (!party) throw new Error('The application is no client yet')
    const request = await beginSignIn(party, undefined, { redirect_uri: redirectUri, ...Object.fromEntries(query) })
    pending.set(request.state, request)
    return request.url.href
  }

  async function finish(callback: URL): Promise<string> {
    const request = pending.get(callback.searchParams.get('state'))
    if (!party || !request) throw new Error('The application has asked nothing')
    const tokens = await redeem(party, callback, request)
    idToken = tokens.id_token
    const { email } = await fetchUserInfo(party.config, tokens.access_token, tokens.claims()?.sub ?? '')
    return `Hello ${email}`
  }

  function end(query: URLSearchParams): string {
    if (!party || idToken === undefined) throw new Error('The application has signed nobody in')
    const hint: Record<string, string> = query.has('anybody') ? {} : { id_token_hint: idToken }
    const asked = { ...hint, post_logout_redirect_uri: goodbyeUri, state: 'leaving' }
    return buildEndSessionUrl(party.config, asked).href
  }

  async function answer(url: URL, outgoing: ServerResponse): Promise<void> {
    switch (url.pathname) {
      case '/callback': {
        const text = await finish(url)
        return onward === undefined ? show(outgoing, text) : lead(outgoing, onward)
      }
      case '/leave':
        return lead(outgoing, end(url.searchParams))
      case '/goodbye':
        return show(outgoing, 'Goodbye')
      default:
        return lead(outgoing, await begin(url.searchParams))
    }
  }

  const server = createServer((incoming, outgoing) => {
    answer(new URL(incoming.url ?? '/', origin), outgoing).catch((error: Error) => show(outgoing, errorOf(error)))
  }).listen(0, '127.0.0.1')
  afterAll(() => void server.close())
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const [redirectUri, leaveUri, goodbyeUri] = [`${origin}/callback`, `${origin}/leave`, `${origin}/goodbye`]
  return {
    origin,
    redirectUri,
    leaveUri,
    goodbyeUri,
    join(client) {
      party = client
    },
    leadOn(url) {
      onward = url
    },
  }
}

function lead(outgoing: ServerResponse, location: string): void {
  outgoing.writeHead(302, { location }).end()
}

function show(outgoing: ServerResponse, text: string): void {
  outgoing
    .writeHead(200, { 'content-type': 'text/html' })
    .end(`<!doctype html><title>An application</title><link rel="icon" href="data:"><h1>${text}</h1>`)
}

function errorOf(error: Error): string {
  const isOAuth = error instanceof AuthorizationResponseError || error instanceof ResponseBodyError
  return isOAuth ? error.error : error.message
}
