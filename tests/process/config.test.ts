import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { bad, faultsOf, postgres } from '../support/config-faults.ts'
import { secret } from '../support/harness.ts'

const newSecret = 'u8QmY2kPz7Vb4Lx0Rw9Ts3Nc6Hf1Jd5G'

test('without any variable it runs embedded, on this machine only', () => {
  expect(parseConfig({})).toMatchObject({
    port: 3000,
    portIsFixed: false,
    host: '127.0.0.1',
    baseUrl: 'http://localhost:3000',
    isLoopback: true,
    secret: undefined,
    dataDir: '.data',
    database: undefined,
    trustedOrigins: ['http://localhost:3000'],
    jwt: { algorithm: 'RS256', ttlSeconds: 900, shared: undefined },
    google: undefined,
    oidc: undefined,
    smtp: undefined,
    signUpOpen: true,
    rateLimit: 6_000,
  })
})

test('with a database it listens for others too', () => {
  expect(parseConfig(postgres)).toMatchObject({
    host: '0.0.0.0',
    portIsFixed: true,
    baseUrl: 'https://auth.example.com',
    database: { url: postgres.DATABASE_URL, directUrl: undefined },
  })
})

test('trusted origins are collected once each', () => {
  const { trustedOrigins } = parseConfig({
    TRUSTED_ORIGINS: 'https://a.example.com, https://b.example.com,',
    FRONTEND_URL: 'https://a.example.com/',
  })

  expect(trustedOrigins).toEqual(['http://localhost:3000', 'https://a.example.com', 'https://b.example.com'])
})

test('a front end is given neither our own secret nor our own name', () => {
  const env = {
    ...postgres,
    JWT_SHARED_SECRET: postgres.BETTER_AUTH_SECRET,
    JWT_SHARED_ISSUER: 'https://auth.example.com/api/auth',
  }

  expect(() => parseConfig(env)).toThrow(/JWT_SHARED_SECRET: must be another than BETTER_AUTH_SECRET/)
  expect(() => parseConfig(env)).toThrow(/JWT_SHARED_ISSUER: must not be this service itself/)
})

test.each([`${secret}-and-more`, secret.slice(1), `2:${secret}`])(
  'a secret that holds our own, or a part of it, is not for a front end: %#',
  (shared) => {
    const env = { ...postgres, BETTER_AUTH_SECRETS: `7:${secret}`, JWT_SHARED_SECRET: shared, JWT_SHARED_ISSUER: 'app' }

    expect(faultsOf(env)).toEqual([
      expect.stringMatching(/^JWT_SHARED_SECRET: must be another than BETTER_AUTH_SECRET/),
    ])
  },
)

test('nobody signs in here by way of this service itself', () => {
  const env = {
    ...postgres,
    OIDC_ISSUER: 'https://auth.example.com/api/auth',
    OIDC_CLIENT_ID: 'a',
    OIDC_CLIENT_SECRET: 'b',
  }

  expect(faultsOf(env)).toEqual(['OIDC_ISSUER: must not be this service itself'])
})

test('an empty value counts as absent', () => {
  expect(parseConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({ port: 3000, database: undefined })
})

test.each([
  'http://localhost',
  'http://127.0.0.1:3000',
  'http://127.8.8.8',
  'http://[::1]:3000',
  'https://auth.example.com:8443',
])('the public URL may be %s', (url) => {
  expect(parseConfig({ BETTER_AUTH_URL: url })).toMatchObject({ baseUrl: url, isLoopback: url.startsWith('http:') })
})

const openId = { OIDC_ISSUER: 'https://login.example.com/', OIDC_CLIENT_ID: 'id', OIDC_CLIENT_SECRET: 'key' }

test('an OpenID provider without a name is called after its host', () => {
  expect(parseConfig(openId).oidc?.name).toBe('login.example.com')
})

test.each(['http://127.0.0.1:9000', 'https://login.example.com/realms/main'])('the issuer may be %s', (issuer) => {
  expect(parseConfig({ ...openId, OIDC_ISSUER: issuer }).oidc?.issuer).toBe(issuer)
})

test('each setting has its effect', () => {
  const config = parseConfig({
    ...postgres,
    BETTER_AUTH_SECRETS: `2:${newSecret}, 1:${secret}`,
    PORT: '8080',
    DIRECT_URL: 'postgresql://direct/latchkey',
    TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    JWT_ALGORITHM: 'EdDSA',
    JWT_TTL: '60m',
    SMTP_URL: 'smtps://user:pass@mail.example.com',
    MAIL_FROM: 'Latchkey <auth@example.com>',
    ADMIN_EMAIL: 'Root@Example.com',
    ADMIN_PASSWORD: 'correct horse',
    GITHUB_CLIENT_ID: 'id',
    GITHUB_CLIENT_SECRET: 'key',
    ...openId,
    OIDC_NAME: 'Example',
    SIGN_UP: 'closed',
    RATE_LIMIT: '9999999',
    LOG_LEVEL: 'silent',
    WEB_CONCURRENCY: '64',
  })

  expect(config).toMatchObject({
    port: 8080,
    isLoopback: false,
    secret,
    secrets: [
      { version: 2, value: newSecret },
      { version: 1, value: secret },
    ],
    database: { url: postgres.DATABASE_URL, directUrl: 'postgresql://direct/latchkey' },
    jwt: { algorithm: 'EdDSA', ttlSeconds: 3_600 },
    smtp: { url: 'smtps://user:pass@mail.example.com', from: 'Latchkey <auth@example.com>' },
    admin: { email: 'root@example.com' },
    github: { clientId: 'id', clientSecret: 'key' },
    oidc: { issuer: 'https://login.example.com/', clientId: 'id', clientSecret: 'key', name: 'Example' },
    google: undefined,
    signUpOpen: false,
    rateLimit: 9_999_999,
    logLevel: 'silent',
    workers: 64,
  })
  expect(config.trustedProxies).toHaveLength(2)
})

test('R-43 the limits are switched off on a loopback host only', () => {
  const off = { ...postgres, RATE_LIMIT: '0' }
  expect(faultsOf({ ...off, BETTER_AUTH_URL: 'http://localhost:3000' })).toEqual([])
  expect(faultsOf({ RATE_LIMIT: '0' })).toEqual([])

  expect(faultsOf(off)).toEqual([
    'RATE_LIMIT: must not be 0 where BETTER_AUTH_URL is no loopback host: passwords could be guessed',
  ])
})

test('a % in a password may be written as it is', () => {
  expect(faultsOf({ ...postgres, DATABASE_URL: 'postgres://latchkey:100%zz%25@db.example.com/latchkey' })).toEqual([])
})

test.each(bad)('R-41 %s may not be "%s"', (name, value) => {
  const faults = faultsOf({ [name]: value })

  expect(faults.filter((fault) => fault.startsWith(`${name}: `))).toHaveLength(1)
  expect(faults.join()).not.toContain('canary')
})

test('R-41 every fault is told at once, and no value', () => {
  const env = Object.fromEntries(bad.map(([name, value]) => [name, value]))

  const faults = faultsOf(env)

  for (const name of Object.keys(env)) expect(faults.some((fault) => fault.startsWith(`${name}: `))).toBe(true)
  for (const value of Object.values(env).filter((text) => text.length > 4))
    expect(faults.join('\n')).not.toContain(value)
})

describe('R-42 what only makes sense together', () => {
  test.each([
    [{ DATABASE_URL: postgres.DATABASE_URL }, ['BETTER_AUTH_SECRET', 'BETTER_AUTH_URL']],
    [{ DIRECT_URL: postgres.DATABASE_URL }, ['DATABASE_URL']],
    [{ JWT_SHARED_SECRET: secret }, ['JWT_SHARED_ISSUER']],
    [{ JWT_SHARED_ISSUER: 'app' }, ['JWT_SHARED_SECRET']],
    [{ GOOGLE_CLIENT_ID: 'id' }, ['GOOGLE_CLIENT_SECRET']],
    [{ GOOGLE_CLIENT_SECRET: 'secret' }, ['GOOGLE_CLIENT_ID']],
    [{ GITHUB_CLIENT_ID: 'id' }, ['GITHUB_CLIENT_SECRET']],
    [{ GITHUB_CLIENT_SECRET: 'secret' }, ['GITHUB_CLIENT_ID']],
    [{ OIDC_ISSUER: 'https://login.example.com' }, ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET']],
    [{ OIDC_CLIENT_ID: 'id' }, ['OIDC_CLIENT_SECRET', 'OIDC_ISSUER']],
    [{ OIDC_CLIENT_SECRET: 'secret' }, ['OIDC_CLIENT_ID', 'OIDC_ISSUER']],
    [{ OIDC_NAME: 'Example' }, ['OIDC_ISSUER']],
    [{ SMTP_URL: 'smtp://localhost' }, ['MAIL_FROM']],
    [{ ADMIN_EMAIL: 'ada@example.com' }, ['ADMIN_PASSWORD']],
    [{ ADMIN_PASSWORD: 'correct horse' }, ['ADMIN_EMAIL']],
  ])('%o lacks %j', (env, missing) => {
    expect(
      faultsOf(env as Record<string, string>)
        .map((fault) => fault.split(':')[0])
        .sort(),
    ).toEqual(missing)
  })
})

test.each(['AUTH_SECRET', 'BETTER_AUTH_TRUSTED_ORIGINS', 'BASE_URL'])(
  'R-41 %s, which Better-Auth would read by itself, is refused',
  (name) => {
    expect(faultsOf({ [name]: 'https://canary.example.com' })).toEqual([expect.stringContaining(`${name}: `)])
  },
)

test.each(['development', 'test', 'production', ''])('R-40, R-43 NODE_ENV=%s makes no difference', (environment) => {
  expect(faultsOf({ NODE_ENV: environment, BETTER_AUTH_SECRET: 'short' })).toHaveLength(1)
  expect(parseConfig({ NODE_ENV: environment })).toEqual(parseConfig({}))
})
