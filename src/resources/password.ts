import { z } from '@hono/zod-openapi'
import { isCommonPassword } from './common-passwords.ts'

/** What of a password's owner, and of the service, is known to everybody. */
export interface PasswordOwner {
  email?: string | undefined
  /** What the service is called. */
  brand?: string | undefined
}

// Of 128 characters, each in as many pieces as Unicode may take it apart into.
const maxUnits = 1_024

/**
 * Why nobody may choose a password: a code like those of Better-Auth, and words that fit after "the password"; undefined
 * when it can be used. It is judged as it is hashed, in normalization form KC, so that one password is one however it is
 * typed.
 * @see NIST SP 800-63B section 3.1.1.2
 */
export function passwordFault(
  password: string,
  { email, brand }: PasswordOwner = {},
): { code: string; detail: string } | undefined {
  const text = canonical(password.slice(0, maxUnits + 1))
  // In characters, not in UTF-16 units.
  const { length } = [...text]
  if (length < 8 || [...password].length < 8)
    return { code: 'PASSWORD_TOO_SHORT', detail: 'must have at least 8 characters' }
  if (length > 128 || password.length > maxUnits)
    return { code: 'PASSWORD_TOO_LONG', detail: 'must have at most 128 characters' }
  if (/[\p{Cc}\p{Cs}]/u.test(password)) return { code: 'UNUSABLE_PASSWORD', detail: 'must not hold control characters' }
  const known = [email, email?.split('@')[0], brand].map((name) => name && canonical(name))
  if (text.trim() !== '' && !known.includes(text) && !isCommonPassword(text)) return undefined
  const detail = 'must not be one that is tried first: a common one, the e-mail address, or the name of the service'
  return { code: 'WEAK_PASSWORD', detail }
}

function canonical(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** 8 to 128 characters, none of them a control character or half of a surrogate pair, and not a common one. */
export const Password = z.string().superRefine((password, context) => {
  const fault = passwordFault(password)
  if (fault) context.addIssue({ code: 'custom', message: fault.detail })
})
