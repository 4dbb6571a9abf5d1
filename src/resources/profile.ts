import { z } from '@hono/zod-openapi'

const maxNameChars = 200

/** 1 to 200 characters, none of them a control character or half of a surrogate pair. */
export const Name = z
  .string()
  .refine((name) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name), 'must not hold control characters')
  .refine((name) => name.trim() !== '' && [...name].length <= maxNameChars, `must have 1 to ${maxNameChars} characters`)
  .openapi({ minLength: 1, maxLength: maxNameChars, example: 'Ada Lovelace' })

/** An address in lower case, as it is stored. */
export const Email = z
  .email('is not an e-mail address')
  .max(254, 'must have at most 254 characters')
  .toLowerCase()
  .openapi({ format: 'email', maxLength: 254, example: 'ada@example.com' })

/** The https URL of a picture. */
export const Image = z
  .string()
  .max(2_048, 'must have at most 2048 characters')
  .refine(
    // A browser takes `https:name` for a path of the page, and half of a surrogate pair cannot be stored.
    (value) => /^https:\/\//i.test(value) && URL.canParse(value) && !/[\s\p{Cc}\p{Cs}]/u.test(value),
    'is not an https URL',
  )
  .openapi({ format: 'uri', maxLength: 2_048, example: 'https://example.com/ada.png' })

/** A name made fit from what an identity provider sent; the local part of the address where there is none. */
export function nameFrom(given: unknown, email: string): string {
  const text =
    typeof given === 'string'
      ? given
          .toWellFormed()
          .replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, ' ')
          .trim()
      : ''
  return [...(text || email.split('@')[0] || 'user')].slice(0, maxNameChars).join('')
}

/** A picture's URL if it is one that may be stored. */
export function imageFrom(given: unknown): string | null {
  const parsed = Image.safeParse(given)
  return parsed.success ? parsed.data : null
}
