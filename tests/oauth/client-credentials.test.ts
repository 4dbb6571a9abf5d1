import { expect, test } from 'vitest'
import { credentialsIn } from '../../src/auth/oauth/client.ts'
import { basic } from '../support/bare-client.ts'

const [id, secret] = ['a-client', 'a secret']

test.each<[string, string | undefined, unknown, ReturnType<typeof credentialsIn>]>([
  ['in the header', basic(id, 'a%20secret'), {}, { id, secret, method: 'client_secret_basic' }],
  [
    'in the header, whatever the body says',
    basic(id, 'a%20secret'),
    { client_id: 'b' },
    { id, secret, method: 'client_secret_basic' },
  ],
  ['in a header that cannot be read', 'Basic !', { client_id: id, client_secret: secret }, undefined],
  ['in the body', undefined, { client_id: id, client_secret: secret }, { id, secret, method: 'client_secret_post' }],
  ['in the body, beside a bearer token', 'Bearer x', { client_id: id }, { id, secret: '', method: 'none' }],
  ['by the id alone', undefined, { client_id: id }, { id, secret: '', method: 'none' }],
  ['with an empty secret', undefined, { client_id: id, client_secret: '' }, { id, secret: '', method: 'none' }],
  [
    'with a secret that is no text',
    undefined,
    { client_id: id, client_secret: [secret] },
    { id, secret: '', method: 'none' },
  ],
  ['with an id that is empty', undefined, { client_id: '', client_secret: secret }, undefined],
  ['with an id that is no text', undefined, { client_id: [id], client_secret: secret }, undefined],
  ['nowhere', undefined, undefined, undefined],
])('a client that says who it is %s', (_where, authorization, body, credentials) => {
  const headers = new Headers(authorization === undefined ? {} : { authorization })

  expect(credentialsIn({ headers, body })).toEqual(credentials)
})
