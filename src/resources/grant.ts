import { z } from '@hono/zod-openapi'

/** What a client may do for a user, as callers see it. */
export const Grant = z
  .object({
    clientId: z.string().openapi({ example: 'Hn2bQx8kTq0vYw4mZr6sLA' }),
    name: z.string().openapi({ description: 'The name of the client', example: 'Weather' }),
    uri: z.string().nullable().openapi({ format: 'uri', example: 'https://weather.example.com' }),
    firstParty: z.boolean().openapi({ example: false }),
    scopes: z.array(z.string()).openapi({ example: ['openid', 'email'] }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    updatedAt: z.iso.datetime().openapi({ description: 'When it last began', example: '2026-02-01T10:00:00.000Z' }),
  })
  .openapi('Grant')

/** A client that may act for a user. */
export interface GrantRow {
  client_id: string
  name: string | null
  uri: string | null
  is_configured: boolean
  scopes: string[]
  created_at: Date
  updated_at: Date
}

/** A grant as callers see it. */
export function toGrant(row: GrantRow): z.infer<typeof Grant> {
  return {
    clientId: row.client_id,
    name: row.name ?? row.client_id,
    uri: row.uri,
    firstParty: row.is_configured,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
