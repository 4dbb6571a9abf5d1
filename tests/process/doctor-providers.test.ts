import { expect, onTestFinished, test } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { findingsOf, isWell, toText } from '../../src/doctor/finding.ts'
import { providerFindings } from '../../src/doctor/providers.ts'
import { providerEnv } from '../support/provider-env.ts'
import { configurationPath, type Lie, startLyingProvider } from '../support/standins/lying-provider.ts'

const saying = (what: RegExp) => expect.stringMatching(what) as string

test('without a provider there is nothing to say', async () => {
  expect(await providerFindings(parseConfig({}))).toEqual([])
})

test('the exact callback URL of each provider is told', async () => {
  const provider = await startLyingProvider()
  onTestFinished(provider.close)
  const env = { ...providerEnv, ...provider.env, BETTER_AUTH_URL: 'https://auth.example.com' }

  expect(await providerFindings(parseConfig(env))).toEqual([
    {
      check: 'callback-google',
      level: 'note',
      what: 'see that at Google exactly this is registered: https://auth.example.com/api/auth/callback/google',
    },
    {
      check: 'callback-github',
      level: 'note',
      what: 'see that at GitHub exactly this is registered: https://auth.example.com/api/auth/callback/github',
    },
    {
      check: 'callback-oidc',
      level: 'note',
      what: 'see that at Example exactly this is registered: https://auth.example.com/api/auth/callback/oidc',
    },
    { check: 'discovery-oidc', level: 'ok', what: 'Example says where its endpoints are' },
  ])
  expect(provider.asked).toEqual([configurationPath])
})

test('what nobody has looked at is not called good', () => {
  const findings = [findingsOf('callback-google').note('see'), findingsOf('node').ok('Node')]

  expect(toText(findings)).toMatch(/^note +callback-google +see\n[^]*\nproblems: 0, warnings: 0, notes: 1, ok: 1$/)
  expect(isWell(findings)).toBe(true)
})

const answering = (status: number, body: string, headers = {}): Lie => ({
  answers: { [configurationPath]: (_incoming, outgoing) => void outgoing.writeHead(status, headers).end(body) },
})

test.each<[string, Lie, RegExp, RegExp]>([
  ['is not there', answering(404, 'canary'), /cannot be read \(it is answered with 404\)/, /Check OIDC_ISSUER/],
  [
    'redirects',
    answering(302, '', { location: 'https://elsewhere.example.com/' }),
    /cannot be read/,
    /Check OIDC_ISSUER/,
  ],
  ['is no JSON', answering(200, '<h1>'), /cannot be read/, /Check OIDC_ISSUER/],
  ['is too long', answering(200, JSON.stringify('x'.repeat(2_000_000))), /cannot be read/, /Check OIDC_ISSUER/],
  ['is null', answering(200, 'null'), /calls itself otherwise/, /Write OIDC_ISSUER as/],
  [
    'names another issuer',
    { configuration: { issuer: 'https://canary.example.com' } },
    /calls itself otherwise/,
    /Write OIDC_ISSUER/,
  ],
  [
    'leads to http',
    { configuration: { token_endpoint: 'http://login.example.com/t' } },
    /token_endpoint is not at https/,
    /./,
  ],
  ['lacks its keys', { configuration: { jwks_uri: undefined } }, /jwks_uri is not at https/, /./],
])('a discovery document that %s is a problem', async (_name, lie, what, mend) => {
  const provider = await startLyingProvider()
  onTestFinished(provider.close)
  provider.lie = lie

  const findings = await providerFindings(parseConfig(provider.env))

  expect(findings.at(-1)).toEqual({ check: 'discovery-oidc', level: 'problem', what: saying(what), mend: saying(mend) })
  expect(JSON.stringify(findings)).not.toMatch(/canary|secret-of-the-client/)
})

test('a provider that is down is a problem', async () => {
  const provider = await startLyingProvider()
  await provider.close()

  const finding = (await providerFindings(parseConfig(provider.env))).at(-1)

  expect(finding).toMatchObject({ level: 'problem', what: saying(/cannot be read \(.*ECONNREFUSED/) })
})
