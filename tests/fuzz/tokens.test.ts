import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBareClient, userInfo } from '../support/bare-client.ts'
import { sessionTokenOf } from '../support/doors.ts'
import { fuzzed } from '../support/fuzz.ts'
import { type SignedIn, startServiceForFile, type TestService } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'
import { registerClient } from '../support/relying-party.ts'
import { everyFlip, jwtMutantsOf, mutantsOf } from '../support/token-mutants.ts'
import { frontEnd, hs256, sessionClaims } from '../support/tokens.ts'

/** Where a text is presented as a token. @returns whether somebody was let in */
type Door = (text: string) => Promise<boolean>

/** Two good tokens of a kind, and the doors that they open. */
interface Kind {
  name: string
  good: string
  other: string
  doors: Record<string, Door>
  isJwt: boolean
}

// What can be in a header as it is; all else is for doors that take JSON or a form.
const isForHeader = (text: string) => /^[\x21-\x7e]+$/.test(text)

function doorsOf({ request, services, baseUrl }: TestService, asker: SignedIn) {
  const name = services.sessionCookies.name
  const session = async (options: object) => {
    const response = await request('/api/auth/get-session', options)
    return response.status === 200 && (await response.json()) !== null
  }
  const inHeader =
    (ask: Door): Door =>
    async (text) =>
      isForHeader(text) && (await ask(text))
  const withCookie = (text: string) => ({ cookie: `${name}=${encodeURIComponent(text.toWellFormed())}` })
  return {
    me: inHeader(async (token) => (await request('/api/v1/auth/me', { token })).status === 200),
    verify: async (token: string) => {
      const response = await request('/api/v1/auth/verify', { token: asker.token, json: { token } })
      return response.status === 200 && ((await response.json()) as { active: boolean }).active
    },
    userInfo: inHeader(async (token) => (await request('/api/auth/oauth2/userinfo', { token })).status === 200),
    cookie: async (text: string) => (await request('/api/v1/auth/me', withCookie(text))).status === 200,
    sessionCookie: (text: string) => session(withCookie(text)),
    sessionBearer: inHeader((token) => session({ token, headers: { origin: baseUrl } })),
  }
}

async function opens(kind: Kind): Promise<void> {
  for (const [name, door] of Object.entries(kind.doors)) {
    for (const text of [kind.good, kind.other]) expect([name, await door(text)]).toEqual([name, true])
  }
}

/** Presents each text at each door. @returns what was let in */
async function letIn({ doors }: Kind, texts: string[]): Promise<[door: string, text: string][]> {
  const all = texts.flatMap((text) => Object.entries(doors).map(([name, door]) => [name, text, door] as const))
  const found = await Promise.all(all.map(async ([name, text, door]) => ((await door(text)) ? [name, text] : [])))
  return found.filter((one): one is [string, string] => one.length > 0)
}

async function assertExact(kind: Kind): Promise<void> {
  const { good, other, isJwt } = kind
  const mutants = isJwt ? jwtMutantsOf(good, other) : mutantsOf(good, other)
  let runs = 0
  await opens(kind)
  const property = fc.asyncProperty(fc.array(mutants, { minLength: 1, maxLength: 16 }), async (texts) => {
    expect(await letIn(kind, texts)).toEqual([])
    if (++runs % 5 === 0) await opens(kind)
  })
  await fc.assert(property, fuzzed({ short: 20, nightly: 1_000 }))
  await opens(kind)
}

const failures = ({ logLines }: TestService) =>
  logLines().filter((line) => (JSON.parse(line) as { level: number }).level > 40)

describe.each(['RS256', 'ES256', 'EdDSA'] as const)('J-21, J-22 of a token signed with %s', async (alg) => {
  const service = await startServiceForFile({ env: { ...frontEnd.env, JWT_ALGORITHM: alg } })
  const [ada, eve] = [await service.createSignedIn(), await service.createSignedIn('admin')]
  const { me, verify } = doorsOf(service, eve)
  const session: Kind = { name: 'session', good: ada.token, other: eve.token, doors: { me, verify }, isJwt: true }

  test('nothing but itself is accepted', async () => {
    await assertExact(session)
    expect(failures(service)).toEqual([])
  })

  test.runIf(isNightly)('no bit can be another', async () => {
    let texts: string[] = []
    for (const text of everyFlip(ada.token)) {
      texts.push(text)
      if (texts.length < 32) continue
      expect(await letIn(session, texts)).toEqual([])
      texts = []
    }
    expect(await letIn(session, texts)).toEqual([])
    await opens(session)
  })
})

describe('J-21, J-22, S-07 nothing but itself is accepted', async () => {
  const service = await startServiceForFile({ env: frontEnd.env })
  const [ada, eve] = [await service.createSignedIn(), await service.createSignedIn('admin')]
  const { me, verify, userInfo: ofUser, cookie, sessionCookie, sessionBearer } = doorsOf(service, eve)
  const client = createBareClient(service, await registerClient(service))
  const [first, second] = [await client.tokensFor(ada), await client.tokensFor(eve)]
  const scope = { scope: 'openid' }
  const opaque = [await client.tokensFor(ada, scope), await client.tokensFor(eve, scope)] as const
  const introspect: Door = async (text) => text !== '' && (await client.introspect(text)).body['active'] === true
  const ofFrontEnd = (user: SignedIn) =>
    hs256(frontEnd.secret, sessionClaims(service, user, { iss: frontEnd.issuer, sid: undefined }))
  const valueOf = (user: SignedIn) => decodeURIComponent(user.cookie.slice(user.cookie.indexOf('=') + 1))

  const kinds: Kind[] = [
    {
      name: 'a token of a front end',
      good: ofFrontEnd(ada),
      other: ofFrontEnd(eve),
      doors: { me, verify },
      isJwt: true,
    },
    {
      name: 'an access token of a client',
      good: first.access_token,
      other: second.access_token,
      doors: { me, verify, ofUser, introspect },
      isJwt: true,
    },
    {
      name: 'an opaque access token',
      good: opaque[0].access_token,
      other: opaque[1].access_token,
      doors: { ofUser, introspect },
      isJwt: false,
    },
    {
      name: 'a refresh token',
      good: first.refresh_token,
      other: second.refresh_token,
      doors: { introspect },
      isJwt: false,
    },
    {
      name: 'a session cookie',
      good: valueOf(ada),
      other: valueOf(eve),
      doors: { cookie, sessionCookie, sessionBearer },
      isJwt: false,
    },
  ]

  test.each(kinds)('for $name', async (kind) => {
    await assertExact(kind)
    expect(failures(service)).toEqual([])
  })

  test('for a refresh token that is to be exchanged', async () => {
    const { refresh_token: good } = await client.tokensFor(await service.createSignedIn())
    const property = fc.asyncProperty(mutantsOf(good, second.refresh_token), async (text) => {
      expect((await client.refresh(text)).status).toBe(400)
    })
    await fc.assert(property, fuzzed({ short: 40, nightly: 2_000 }))
    expect((await client.refresh(good)).status).toBe(200)
  })

  test('for a session token, which opens nothing without our signature', async () => {
    const bare = { good: sessionTokenOf(ada), other: sessionTokenOf(eve) }
    const doors = { cookie, sessionCookie, sessionBearer, verify }
    const kind: Kind = { name: 'bare', ...bare, doors, isJwt: false }
    expect(await letIn(kind, [bare.good, bare.other, `${bare.good}.`, `${bare.good}.${bare.other}`])).toEqual([])
  })

  test('and tokens of one kind open no door of another', async () => {
    expect((await userInfo(service, ada.token)).status).toBe(401)
    const doors = { me, verify, ofUser, introspect, cookie, sessionCookie, sessionBearer }
    for (const { good, doors: own, name } of kinds) {
      const foreign = Object.fromEntries(Object.entries(doors).filter(([door]) => !(door in own)))
      const found = await letIn({ name, good, other: '', doors: foreign, isJwt: false }, [good])
      expect([name, found]).toEqual([name, []])
    }
  })
})
