import { z } from '@hono/zod-openapi'

const maxNameChars = 200

/** 1 to 200 characters, none of them a control character or half of a surrogate pair. */
export const Name = z
  .string()
  .refine((name) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name), 'must not hold control characters')
  .refine((name) => name.trim() !== '' && [...name].length <= maxNameChars, `must have 1 to ${maxNameChars} characters`)
  .openapi({ minLength: 1, maxLength: maxNameChars, example: 'Ada Lovelace' })

/** Why a password cannot be used: Better-Auth's code, and words that fit after "the password"; undefined when it can. */
export function passwordFault(password: string): { code: string; detail: string } | undefined {
  // In characters, not in UTF-16 units.
  const { length } = [...password]
  if (length < 8) return { code: 'PASSWORD_TOO_SHORT', detail: 'must have at least 8 characters' }
  if (length > 128) return { code: 'PASSWORD_TOO_LONG', detail: 'must have at most 128 characters' }
  if (!/[\p{Cc}\p{Cs}]/u.test(password)) return undefined
  return { code: 'INVALID_PASSWORD', detail: 'must not hold control characters' }
}

/** 8 to 128 characters, none of them a control character or half of a surrogate pair. */
export const Password = z.string().superRefine((password, context) => {
  const fault = passwordFault(password)
  if (fault) context.addIssue({ code: 'custom', message: fault.detail })
})

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

/** A name made fit from what an identity provider sent; the local part of the address when it sent none. */
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
