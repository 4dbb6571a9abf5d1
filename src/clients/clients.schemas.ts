import { z } from '@hono/zod-openapi'
import { type OAuthScope, oauthScopes } from '../auth/oauth/scopes.ts'
import { permissions } from '../auth/permissions.ts'
import { pageQuery } from '../http/page.ts'
import { isRedirectUri } from '../resources/redirect-uri.ts'
import type { ClientRow } from './clients.queries.ts'

const authMethods = ['client_secret_basic', 'client_secret_post', 'none'] as const

/** The wire form of a client. */
export const Client = z
  .object({
    id: z.string().openapi({ description: 'Its `client_id`', example: 'Hn2bQx8kTq0vYw4mZr6sLA' }),
    name: z.string().openapi({ example: 'Weather' }),
    uri: z.string().nullable().openapi({ format: 'uri', example: 'https://weather.example.com' }),
    tokenEndpointAuthMethod: z
      .enum(authMethods)
      .openapi({ description: '`none` for a client that cannot keep a secret', example: 'client_secret_basic' }),
    redirectUris: z.array(z.string()).openapi({ example: ['https://weather.example.com/callback'] }),
    postLogoutRedirectUris: z.array(z.string()).openapi({ example: ['https://weather.example.com'] }),
    scopes: z
      .array(z.string())
      .openapi({ description: 'What it may ask people for', example: ['openid', 'email', 'account:read'] }),
    clientCredentialsScopes: z
      .array(z.string())
      .openapi({ description: 'What it may do for itself, by client credentials', example: ['users:read'] }),
    disabled: z.boolean().openapi({ example: false }),
    firstParty: z
      .boolean()
      .openapi({ description: 'It is in auth.config.ts, which alone changes it; it asks nobody for consent' }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    updatedAt: z.iso.datetime().openapi({ example: '2026-02-01T10:00:00.000Z' }),
  })
  .openapi('Client')

/** A client with its secret, which is shown this once. */
export const ClientWithSecret = Client.extend({
  secret: z
    .string()
    .nullable()
    .openapi({ description: 'Shown this once; null for a client without one', example: null }),
}).openapi('ClientWithSecret')

const redirectUri = z
  .string()
  .refine(isRedirectUri, 'is not an https URL, one on this machine, or of a scheme like com.example.app')
  .openapi({ format: 'uri', maxLength: 2_000 })
const redirectUris = z.array(redirectUri).max(20)
const delegated = z.array(z.enum(oauthScopes as [OAuthScope, ...OAuthScope[]])).max(oauthScopes.length)
const own = z.array(z.enum(permissions)).max(permissions.length)

const Uri = z
  .string()
  .max(2_000)
  .refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text) && !/[\s\p{Cc}\p{Cs}]/u.test(text), 'is not a URL')
  .openapi({ format: 'uri', example: 'https://weather.example.com' })

const fields = {
  name: z
    .string()
    .refine((name) => /^[^\p{Cc}\p{Cf}\p{Cs}]{1,50}$/u.test(name) && name.trim() !== '', 'must have 1 to 50 characters')
    .openapi({ minLength: 1, maxLength: 50, example: 'Weather' }),
  uri: Uri.nullable().optional(),
  redirectUris: redirectUris.openapi({ example: ['https://weather.example.com/callback'] }),
  postLogoutRedirectUris: redirectUris.openapi({ example: ['https://weather.example.com'] }),
  scopes: delegated.openapi({ example: ['openid', 'email', 'account:read'] }),
  clientCredentialsScopes: own.openapi({ example: [] }),
}

/** The body of `POST /clients`. */
export const NewClientBody = z
  .strictObject({
    ...fields,
    tokenEndpointAuthMethod: z.enum(authMethods).default('client_secret_basic'),
    redirectUris: fields.redirectUris.default([]),
    postLogoutRedirectUris: fields.postLogoutRedirectUris.default([]),
    scopes: fields.scopes.default(['openid', 'profile', 'email', 'offline_access']),
    clientCredentialsScopes: fields.clientCredentialsScopes.default([]),
  })
  .openapi('NewClient')

/** The body of `PATCH /clients/{id}`. */
export const ClientChangeBody = z
  .strictObject({ ...fields, disabled: z.boolean() })
  .partial()
  .refine((change) => Object.keys(change).length > 0, {
    error: 'nothing to change',
    when: ({ issues }) => issues.length === 0,
  })
  .openapi('ClientChange', { minProperties: 1, example: { disabled: true } })

/** The query of `GET /clients`. */
export const ListClients = z.strictObject(pageQuery)

/** The path of one client. */
export const ClientPath = z.object({
  id: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'is not an id')
    .openapi({ param: { name: 'id', in: 'path' }, description: 'A `client_id`', example: 'Hn2bQx8kTq0vYw4mZr6sLA' }),
})

/** A client as callers see it. */
export function toClient(row: ClientRow): z.infer<typeof Client> {
  return {
    id: row.client_id,
    name: row.name ?? row.client_id,
    uri: row.uri,
    tokenEndpointAuthMethod: row.auth_method,
    redirectUris: row.redirect_uris,
    postLogoutRedirectUris: row.post_logout_redirect_uris,
    scopes: row.scopes,
    clientCredentialsScopes: row.client_credentials_scopes,
    disabled: row.disabled,
    firstParty: row.is_configured,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
