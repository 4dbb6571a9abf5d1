import { constants, type KeyObject, sign } from 'node:crypto'
import type { JwtAlgorithm } from '../../src/auth/keys/signature.ts'
import { type SignedIn, secret, type TestService } from './harness.ts'
import { attackerKey, hs256, jws, type Members, nowSeconds, type SigningKey, sessionClaims, signed } from './tokens.ts'

/** What tokens are forged of: the user whom they are to stand for, and the key that the service signs with. */
export interface Forge {
  service: TestService
  user: SignedIn
  key: SigningKey
  /** The issuer of tokens of a shared secret, where they are accepted. */
  sharedIssuer?: string
}

/** A token that opens nothing: the id of the attack and what is wrong, the token, and the problem that it meets. */
export type Forged = [fault: string, token: string, type?: string]

const algorithms = ['RS256', 'ES256', 'EdDSA'] as const

/** Tokens whose signature is none, or is not of the key that they name. */
export function forgedSignatures(forge: Forge): Forged[] {
  return [...unsigned(forge), ...withPublicKeyAsSecret(forge), ...bySomebodyElse(forge), ...withAnotherAlgorithm(forge)]
}

function unsigned({ service, user, key }: Forge): Forged[] {
  const claims = sessionClaims(service, user)
  const named = ['none', 'None', 'NONE', 'nOnE', undefined, null, [], {}].flatMap((alg): Forged[] => {
    const name = `J-01 alg ${JSON.stringify(alg) ?? 'missing'}`
    const empty = (header: Members) => jws(header, claims, () => Buffer.alloc(0))
    return [
      [`${name} without a signature`, empty({ alg, kid: key.kid })],
      [`${name} without a signature or kid`, empty({ alg })],
      [`${name} with our signature`, signed(key, claims, { alg })],
      [`${name} with a signature that is a word`, jws({ alg, kid: key.kid }, claims, () => Buffer.from('none'))],
    ]
  })
  const head = user.token.slice(0, user.token.lastIndexOf('.'))
  return [
    ...named,
    ['J-02 a signature that was removed', `${head}.`],
    ['J-02 a signature that was removed, with its dot', head],
    ['J-02 a signature alone', `..${user.token.slice(head.length + 1)}`],
  ]
}

/** The signature is an HMAC, and its secret something that everybody knows or what other tokens are signed with. */
function withPublicKeyAsSecret({ service, user, key, sharedIssuer }: Forge): Forged[] {
  const jwk = key.publicKey.export({ format: 'jwk' })
  const raw = jwk.x ?? jwk.n ?? ''
  const secrets: [string, string | Buffer][] = [
    ['J-03 HS256 with the raw public key', Buffer.from(raw, 'base64url')],
    ['J-03 HS256 with the raw public key in base64url', raw],
    ['J-03 HS256 with the public key as JWK', JSON.stringify(jwk)],
    ['J-03 HS256 with the published key', JSON.stringify({ kid: key.kid, alg: key.alg, use: 'sig', ...jwk })],
    ['J-03 HS256 with the public key as PEM', key.publicKey.export({ format: 'pem', type: 'spki' }).toString()],
    ['J-03 HS256 with an empty secret', ''],
    ['J-04 HS256 with the secret that verification mails are signed with', secret],
  ]
  const withoutKid = { sid: undefined, ...(sharedIssuer !== undefined && { iss: sharedIssuer }) }
  return secrets.flatMap(([name, value]): Forged[] => [
    [name, hs256(value, sessionClaims(service, user), { kid: key.kid })],
    [`${name}, without kid`, hs256(value, sessionClaims(service, user, withoutKid))],
  ])
}

function bySomebodyElse({ service, user, key }: Forge): Forged[] {
  const claims = sessionClaims(service, user)
  const own = (alg: JwtAlgorithm): Forged => {
    const name = `${alg === key.alg ? 'J-08' : 'J-05'} ${alg} of another key with the id of ours`
    return [name, signed(attackerKey(key.kid, alg), claims)]
  }
  const { privateKey } = attackerKey(key.kid)
  const ps256 = jws({ alg: 'PS256', kid: key.kid }, claims, (input) => signPss(privateKey, input))
  return [...algorithms.map(own), ['J-05 PS256 of another key with the id of ours', ps256]]
}

/** The right key, under the name of an algorithm that is not the one it was made for. */
function withAnotherAlgorithm({ service, user, key }: Forge): Forged[] {
  const claims = sessionClaims(service, user)
  const names = [...algorithms, 'Ed25519', 'RS512', 'PS256', 'HS256', key.alg.toLowerCase(), `${key.alg} `]
  const renamed = names
    .filter((alg) => alg !== key.alg)
    .map((alg): Forged => [`J-06 our signature called ${alg}`, signed(key, claims, { alg })])
  const header = { alg: 'PS256', kid: key.kid }
  return key.alg === 'RS256'
    ? [...renamed, ['J-06 PS256 of our key', jws(header, claims, (input) => signPss(key.privateKey, input))]]
    : renamed
}

function signPss(key: KeyObject, input: string): Buffer {
  return sign('sha256', Buffer.from(input), { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
}

/** Tokens whose header names a key that is none, brings one of its own, or says what nobody here understands. */
export function forgedHeaders(forge: Forge): Forged[] {
  const { service, user, key } = forge
  const claims = sessionClaims(service, user)
  const stranger = attackerKey(key.kid)
  const withHeader = (header: Members) => signed(key, claims, header)
  const critical = [['exp'], ['b64'], [], ['x'], 'exp', null]
  return [
    ['J-11 no kid', withHeader({ kid: undefined })],
    ...forgedKids(forge),
    ['J-13 a key of its own', signed(stranger, claims, { jwk: stranger.publicKey.export({ format: 'jwk' }) })],
    ...critical.map((crit): Forged => [`J-16 crit ${JSON.stringify(crit)}`, withHeader({ crit })]),
    ['J-16 crit ["b64"] and b64 false', withHeader({ crit: ['b64'], b64: false })],
    ['J-16 b64 false', withHeader({ b64: false })],
    ['J-19 a token within a token', signed(key, user.token, { cty: 'JWT' })],
    ['J-19 a token within a token, as JSON', signed(key, JSON.stringify(user.token), { cty: 'JWT' })],
    ['J-19 claims that call themselves a token', withHeader({ cty: 'JWT' })],
  ]
}

function forgedKids({ service, user, key }: Forge): Forged[] {
  const claims = sessionClaims(service, user)
  const of = (id: string, kids: unknown[]) =>
    kids.flatMap((kid): Forged[] => {
      const name = `${id} kid ${JSON.stringify(kid).slice(0, 40)}`
      return [
        [name, signed(key, claims, { kid })],
        [`${name} and an empty secret`, hs256('', claims, { kid })],
      ]
    })
  const paths = ['../../../../dev/null', '/proc/self/environ', 'file:///dev/null', 'x'.repeat(10_000), 'x'.repeat(255)]
  const queries = ["' OR '1'='1", "x'; select pg_sleep(5)--", '"; drop table jwks--', `${key.kid}' --`, '%', '$1']
  const others = [7, {}, [], [key.kid], null, true, '', '__proto__', 'constructor', 'toString', '\0', `${key.kid}\0`]
  return [...of('J-09', paths), ...of('J-10', queries), ...of('J-11', [...others, ` ${key.kid}`, 'unknown'])]
}

/** Tokens of our key for somebody else, or not of now: session JWTs, or of another kind by its claims and header. */
export function forgedClaims({ service, user, key }: Forge, kind: Members = {}, header: Members = {}): Forged[] {
  const now = nowSeconds()
  const { baseUrl } = service
  const iss = `${baseUrl}/api/auth`
  const changes: [string, Members, string?][] = [
    ...['iss', 'aud', 'sub', 'sid'].map((claim): [string, Members] => [`J-30 no ${claim}`, { [claim]: undefined }]),
    ...[
      [iss],
      `${iss}/`,
      iss.replace('http:', 'https:'),
      iss.toUpperCase(),
      `${baseUrl}/api/other`,
      baseUrl,
      '',
      null,
      7,
    ].map((value): [string, Members] => [`J-30 iss ${JSON.stringify(value)}`, { iss: value }]),
    ...[`${baseUrl}/api/v2`, [`${baseUrl}/api/v1`, 'https://x.test'], [`${baseUrl}/api/v1`], [], null, 'a-client'].map(
      (value): [string, Members] => [`J-30 aud ${JSON.stringify(value)}`, { aud: value }],
    ),
    ['J-31 an end of a minute ago', { iat: now - 120, exp: now - 60 }, 'token-expired'],
    ['J-31 an end beyond the tolerance', { iat: now - 120, exp: now - 6 }, 'token-expired'],
    ...[undefined, null, String(now + 900), 1e308, -1, now + 900.5, [now + 900]].map((exp): [string, Members] => [
      `J-31 exp ${JSON.stringify(exp) ?? 'missing'}`,
      { exp },
    ]),
    ...[undefined, null, String(now), now + 3_600, -1, now - 0.5].map((iat): [string, Members] => [
      `J-31 iat ${JSON.stringify(iat) ?? 'missing'}`,
      { iat, exp: now + 4_000 },
    ]),
    ['J-31 a beginning in a minute', { nbf: now + 60 }],
    ['J-31 a beginning that is text', { nbf: String(now) }],
    ['J-31 a life of more than an hour', { iat: now, exp: now + 3_601 }],
    ['J-31 a life of ten years', { iat: now, exp: now + 315_360_000 }],
  ]
  return changes.map(([name, change, type]) => {
    const token = signed(key, sessionClaims(service, user, { ...kind, ...change }), header)
    return type === undefined ? [name, token] : [name, token, type]
  })
}

/** Tokens of our key that were made for something else. */
export function forgedKinds({ service, user, key }: Forge): Forged[] {
  const claims = (changes: Members) => sessionClaims(service, user, changes)
  const forApplication = claims({ aud: 'a-client', sid: undefined })
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  return [
    ['J-25 an ID token', signed(key, forApplication)],
    ['J-25 an ID token of typ JWT', signed(key, forApplication, { typ: 'JWT' })],
    ['J-25 an ID token for us', signed(key, claims({ sid: undefined }))],
    ['J-25 a session JWT of typ JWT', signed(key, claims({}), { typ: 'JWT' })],
    ['J-26 a session JWT of typ at+jwt', signed(key, claims({}), { typ: 'at+jwt' })],
    ['J-26 an access token of no typ', signed(key, claims({ client_id: 'a-client', jti: 'j', scope: 'account:read' }))],
    ['J-28 a logout token', signed(key, claims({ events }), { typ: 'logout+jwt' })],
    ['J-28 a verification of an address', hs256(secret, { email: user.email, ...times() })],
    ['J-28 a change of an address', hs256(secret, { email: user.email, updateTo: 'eve@example.com', ...times() })],
  ]
}

function times(): Members {
  const now = nowSeconds()
  return { iat: now, exp: now + 900 }
}

/** A token of each attack, for where every one of all would take too long. */
export function forgedTokens(forge: Forge): Forged[] {
  const all = [
    ...forgedSignatures(forge),
    ...forgedHeaders(forge),
    ...forgedForms(forge),
    ...forgedClaims(forge),
    ...forgedKinds(forge),
  ]
  return [...new Map(all.toReversed().map((token) => [token[0].slice(0, 4), token])).values()].toReversed()
}

function forgedForms({ service, user, key }: Forge): Forged[] {
  const claims = sessionClaims(service, user)
  const stranger = attackerKey(key.kid)
  const address = 'http://127.0.0.1:9/jwks'
  return [
    ['J-14 an address of keys', signed(stranger, claims, { jku: address })],
    ['J-15 an address of a chain', signed(stranger, claims, { x5u: address })],
    ['J-18 the id of no key', signed(key, claims, { kid: 'unknown' })],
    ['J-20 five parts', `${user.token}.e.e`],
    ['J-22 padding', `${user.token}=`],
    ['J-24 a NUL in a claim', signed(key, { ...claims, sub: `${user.id}\0` })],
    ['J-40 more than 8 KiB', signed(key, { ...claims, more: 'x'.repeat(6_000) })],
  ]
}
