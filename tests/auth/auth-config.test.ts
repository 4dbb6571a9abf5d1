import { expect, test } from 'vitest'
import { defineAuth } from '../../src/auth/auth-config.ts'
import { permissions } from '../../src/auth/permissions.ts'

type Settings = Parameters<typeof defineAuth>[0]

const settings: Settings = {
  brand: { name: 'Latchkey', color: { light: '#2b53c4', dark: '#8fb0ff' } },
  roles: { user: [], helper: ['users:read'], admin: 'all' },
  session: { idleDays: 7 },
  signingKey: { rotationDays: 90, publishHoursAhead: 24 },
}

const shop = { name: 'Shop', redirectUris: ['https://shop.example.com/cb'], scopes: ['openid'] as const }

test('an application of one’s own is known by its id, and there need be none', () => {
  const postLogoutRedirectUris = ['https://shop.example.com']

  expect(defineAuth(settings).clients.size).toBe(0)
  expect(
    defineAuth({ ...settings, clients: { shop: { ...shop, postLogoutRedirectUris } } }).clients.get('shop'),
  ).toEqual({
    ...shop,
    postLogoutRedirectUris,
  })
})

test('each role has its own permissions, and an admin all of them', () => {
  const { roles } = defineAuth(settings)

  expect([...roles.keys()]).toEqual(['user', 'helper', 'admin'])
  expect([...(roles.get('helper') ?? [])]).toEqual(['users:read'])
  expect([...(roles.get('admin') ?? [])]).toEqual([...permissions])
})

test('a number may be the least and the most that it can be', () => {
  for (const idleDays of [2, 30]) {
    expect(defineAuth({ ...settings, session: { idleDays } }).session).toEqual({ idleDays })
  }
})

test('a logo may begin on a line of its own', () => {
  const logo = '\n<svg viewBox="0 0 1 1"></svg>'
  expect(defineAuth({ ...settings, brand: { ...settings.brand, logo } }).brand.logo).toBe(logo)
})

test('the contrast of a color is that of WCAG, of a dark one too', () => {
  const color = { light: '#2b53c4', dark: '#000000' }
  expect(() => defineAuth({ ...settings, brand: { ...settings.brand, color } })).toThrow('its contrast is 1.3, not 4.5')
})

test.each<[string, Partial<Settings>]>([
  ['"Admin" is not a usable role name', { roles: { ...settings.roles, Admin: [] } }],
  ['"a,b" is not a usable role name', { roles: { ...settings.roles, 'a,b': [] } }],
  ['there is no permission "users:eat"', { roles: { ...settings.roles, user: ['users:eat' as 'users:read'] } }],
  ['brand.name must have 1 to 50', { brand: { ...settings.brand, name: '' } }],
  ['brand.logo is no SVG', { brand: { ...settings.brand, logo: 'logo.png' } }],
  ['brand.color.light is not like', { brand: { ...settings.brand, color: { light: 'blue', dark: '#8fb0ff' } } }],
  [
    'brand.color.light cannot be read well',
    { brand: { ...settings.brand, color: { light: '#8fb0ff', dark: '#8fb0ff' } } },
  ],
  [
    'brand.color.dark cannot be read well',
    { brand: { ...settings.brand, color: { light: '#2b53c4', dark: '#2b53c4' } } },
  ],
  ['session.idleDays must be between', { session: { idleDays: 1 } }],
  ['session.idleDays must be between', { session: { idleDays: 31 } }],
  ['session.idleDays must be between', { session: { idleDays: Number.NaN } }],
  ['signingKey.rotationDays must be between', { signingKey: { rotationDays: 0, publishHoursAhead: 1 } }],
  ['signingKey.publishHoursAhead must be between', { signingKey: { rotationDays: 1, publishHoursAhead: 13 } }],
  ['"a b" is not a usable client id', { clients: { 'a b': shop } }],
  ['"reference" is not a usable client id', { clients: { reference: shop } }],
  ['client shop: its name must have 1 to 50', { clients: { shop: { ...shop, name: '' } } }],
  ['client shop: it needs a redirect URI', { clients: { shop: { ...shop, redirectUris: [] } } }],
  [
    '"http://a.example" cannot be a redirect URI',
    { clients: { shop: { ...shop, redirectUris: ['http://a.example'] } } },
  ],
  ['"data:x" cannot be a redirect URI', { clients: { shop: { ...shop, postLogoutRedirectUris: ['data:x'] } } }],
  ['client shop: there is no scope "users:eat"', { clients: { shop: { ...shop, scopes: ['users:eat' as 'openid'] } } }],
])('is refused: %s', (message, change) => {
  expect(() => defineAuth({ ...settings, ...change })).toThrow(message)
})
