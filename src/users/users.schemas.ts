import { z } from '@hono/zod-openapi'
import { pageQuery } from '../http/page.ts'
import { Email, Image, Name } from '../resources/profile.ts'

const flag = z
  .enum(['true', 'false'], 'is not true or false')
  .transform((value) => value === 'true')
  .openapi({ type: 'boolean' })

const instant = z.iso
  .datetime({ offset: true, error: 'is not an RFC 3339 date and time' })
  .transform((value) => new Date(value))
  .openapi({ type: 'string', format: 'date-time', example: '2026-01-01T00:00:00Z' })

const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !/[\p{Cc}\p{Cs}]/u.test(value), 'must not hold control characters')

/** The query of `GET /users`. */
export const ListUsers = z.strictObject({
  ...pageQuery,
  q: text(200).optional().openapi({
    description:
      'Part of the e-mail address or the name, in any case. No index finds what has no three letters or digits in a row',
    example: 'ada',
  }),
  email: Email.optional().openapi({ description: 'The whole e-mail address' }),
  role: text(50).optional().openapi({ example: 'admin' }),
  banned: flag.optional(),
  emailVerified: flag.optional(),
  provider: text(50).optional().openapi({ description: 'Has a linked account of this provider', example: 'google' }),
  createdAfter: instant.optional(),
  createdBefore: instant.optional(),
  sort: z
    .enum(['createdAt', '-createdAt', 'email', '-email', 'name', '-name'])
    .default('-createdAt')
    .openapi({ description: 'The column to sort by; `-` for descending' }),
})

export const NewUserBody = z
  .strictObject({
    email: Email,
    name: Name,
    password: z
      .string()
      .max(1_000)
      .optional()
      .openapi({ minLength: 8, maxLength: 128, example: 'correct horse battery' }),
    role: text(50).optional().openapi({ example: 'user' }),
    emailVerified: z.boolean().default(false),
  })
  .openapi('NewUser')

export const UserChangeBody = z
  .strictObject({
    name: Name.optional(),
    image: Image.nullable().optional(),
    email: Email.optional(),
    emailVerified: z.boolean().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, {
    error: 'nothing to change',
    // An unknown field is told by itself.
    when: ({ issues }) => issues.length === 0,
  })
  .openapi('UserChange', { minProperties: 1, example: { name: 'Ada King' } })

export const RoleBody = z.strictObject({ role: text(50).openapi({ example: 'moderator' }) }).openapi('RoleAssignment')

export const BanBody = z
  .strictObject({
    reason: text(500).nullable().optional().openapi({ example: 'Spam' }),
    expiresAt: instant
      .refine((date) => date.getTime() > Date.now(), 'is not in the future')
      // With its offset a time of the year 9999 may be one that RFC 3339 cannot write in UTC.
      .refine((date) => date.getUTCFullYear() <= 9_999, 'is after the year 9999')
      .nullable()
      .optional()
      .openapi({
        type: ['string', 'null'],
        description: 'When the ban ends; without it, never',
        example: '2099-01-01T00:00:00Z',
      }),
  })
  .openapi('Ban')
