import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseRange } from './http/client-address.ts'
import { isPrivate } from './http/loopback.ts'

/** The origin of a web site. */
export const origin = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/` || /[\s*]/.test(value)) {
    context.addIssue({ code: 'custom', message: 'is not the origin of a web site, such as https://app.example.com' })
    return z.NEVER
  }
  return url.origin
})

const privately = [
  (value: string) => isPrivate(new URL(value)),
  'must be https unless its host is a loopback address',
] as const

/** The origin of a web site that nobody on the way can change. */
export const publicUrl = origin.refine(...privately)

/** The URL of an OpenID provider. It stays as it is written: it is compared with what the provider calls itself. */
export const issuer = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:\/\/[^\s?#@]+$/.test(value), {
    message: 'is not the URL of an OpenID provider, such as https://login.example.com',
    abort: true,
  })
  .refine(...privately)

/** The entries of a text, which commas part. */
export const list = (text: string) =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)

// Without the slashes some parsers find no host, and others one.
const urlOf = (start: RegExp, fault: string) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && start.test(value), { message: fault, abort: true })
    .refine((value) => canDecode(new URL(value)), 'holds a % that stands for nothing: write %25 for the sign itself')

/** The URL of a mail server. */
export const smtpUrl = urlOf(/^smtps?:\/\//i, 'is not an smtp:// or smtps:// URL')
  .refine((value) => new URL(value).hostname !== '', 'names no host')
  // With it TLS could be switched off, or what is sent written to the log.
  .refine((value) => !value.includes('?'), 'must hold no "?": its options are chosen by the service')

/** The URL of a PostgreSQL. */
export const postgresUrl = urlOf(/^postgres(ql)?:\/\//i, 'is not a postgres:// URL')
  .refine((value) => optionsIn(value, 'port').every(isPort), 'has a port that is none (1 to 65535)')
  .refine(
    (value) => optionsIn(value, 'sslrootcert', 'sslcert', 'sslkey').every(isReadable),
    'names a certificate or a key that cannot be read',
  )

function optionsIn(url: string, ...names: string[]): string[] {
  const { searchParams } = new URL(url)
  return names.flatMap((name) => searchParams.getAll(name))
}

const isPort = (text: string) => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535

function isReadable(file: string): boolean {
  try {
    return readFileSync(file).length > 0
  } catch {
    return false
  }
}

// The drivers decode them, and what they throw names no variable. A stray sign they take for itself, but no host has one.
function canDecode({ hostname, username, password, pathname }: URL): boolean {
  try {
    const texts = [username, password, pathname].map((text) => text.replaceAll(/%(?![\da-f]{2})/gi, '%25'))
    for (const text of [hostname, ...texts]) decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Who mail is from: an address, or one in angle brackets after a name. */
export const sender = z
  .string()
  .regex(/^(?:[^\r\n<>]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/, 'is not a mail address')

/** What a provider has given: any text. */
export const givenText = z.string().regex(/\S/, 'is blank')

/** An IP address or a CIDR range, parsed. */
export const addressRange = z.string().transform((text, context) => {
  const range = parseRange(text)
  if (range) return range
  context.addIssue({ code: 'custom', message: 'holds something that is neither an IP address nor a CIDR range' })
  return z.NEVER
})

/** One of a few words. */
export const oneOf = <T extends string>(...values: T[]) => z.enum(values, `must be one of: ${values.join(', ')}`)

/** A whole number from 1 to `most`, of at most five digits. */
export const wholeNumber = (most: number, fault: string) =>
  z
    .string()
    .refine((value) => /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= most, fault)
    .transform(Number)
