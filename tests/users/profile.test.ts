import { expect, test } from 'vitest'
import { socialProviders } from '../../src/auth/providers/profiles.ts'
import { parseConfig } from '../../src/config.ts'
import { imageFrom, nameFrom } from '../../src/resources/profile.ts'
import { providerEnv } from '../support/provider-env.ts'

const email = 'ada@example.com'

test.each([
  ['Ada Lovelace', 'Ada Lovelace'],
  ['  Ada  ', 'Ada'],
  ['Ada\u0000\nLovelace', 'Ada  Lovelace'],
  ['A\ud800da', 'A\ufffdda'],
  ['x'.repeat(300), 'x'.repeat(200)],
  ['🦊'.repeat(201), '🦊'.repeat(200)],
  ['', 'ada'],
  ['\u0000', 'ada'],
  [undefined, 'ada'],
  [42, 'ada'],
])('of the name %j of a provider is made a name that fits', (given, name) => {
  expect(nameFrom(given, email)).toBe(name)
})

test('who has neither a name nor an address is called user', () => {
  expect(nameFrom(undefined, '')).toBe('user')
})

test.each([
  ['https://example.com/ada.png', 'https://example.com/ada.png'],
  ['http://example.com/ada.png', null],
  ['javascript:alert(1)', null],
  [`https://example.com/${'x'.repeat(3_000)}`, null],
  [undefined, null],
])('the picture %j of a provider is kept or dropped', (given, image) => {
  expect(imageFrom(given)).toBe(image)
})

test('Google and GitHub are offered only where they are configured, and map what does not fit', async () => {
  const config = parseConfig({
    ...providerEnv,
    SIGN_UP: 'closed',
    SMTP_URL: 'smtp://localhost',
    MAIL_FROM: 'auth@example.com',
  })
  const { google, github } = socialProviders(config)
  if (!google || typeof google === 'function' || !github || typeof github === 'function') throw new Error('not offered')

  const fromGoogle = await google.mapProfileToUser?.({
    name: '',
    email,
    email_verified: 'false',
    picture: 'http://x',
  } as never)
  const fromGitHub = await github.mapProfileToUser?.({ name: null, login: 'ada', email: null, avatar_url: '' } as never)

  expect(socialProviders(parseConfig({}))).toEqual({})
  expect([google.disableSignUp, github.disableSignUp]).toEqual([true, true])
  expect([google.requireEmailVerification, github.requireEmailVerification]).toEqual([true, true])
  expect(fromGoogle).toEqual({ name: 'ada', image: null, email, emailVerified: false })
  expect(fromGitHub).toEqual({ name: 'ada', image: null, email: null })
})
