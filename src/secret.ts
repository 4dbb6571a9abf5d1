import { hkdfSync } from 'node:crypto'
import { z } from 'zod'

const minBytes = 32
const minBits = 96
const wordsOfExamples =
  /secret|password|change.?me|example|your[-_ ]|better-?auth|latchkey|qwerty|letmein|12345678|abcdefgh|openssl|generate|correct.?horse|battery.?staple|[<>]/i

/** Why a secret must not be used, in words that fit after its name; undefined when it may. */
export function secretWeakness(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < minBytes) return `must have at least ${minBytes} bytes`
  if (wordsOfExamples.test(secret)) return 'looks like an example'
  if (bitsOf(secret) < minBits || isRepetitive(secret)) return 'is too easy to guess'
  return undefined
}

// Shannon's estimate from the frequency of each character: enough to tell random text from a repeated or typed one.
function bitsOf(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  return [...counts.values()].reduce((bits, n) => bits - n * Math.log2(n / text.length), 0)
}

// Mostly one piece said over and over. That random text begins with two equal characters is no fault of it.
function isRepetitive(text: string): boolean {
  const [repeated = ''] = /^(.{1,16})\1+/.exec(text) ?? []
  return repeated.length > text.length / 2
}

/** The key of one use. One secret is configured; each use gets a key of its own (RFC 5869). */
export function derivedKey(secret: string, use: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `latchkey ${use}`, 32))
}

/** A secret of `BETTER_AUTH_SECRETS`, under the number that what it encrypts is marked with. */
export interface NumberedSecret {
  version: number
  value: string
}

/** A secret that may be used. */
export const Secret = z.string().superRefine((value, context) => {
  const weakness = secretWeakness(value)
  if (weakness) context.addIssue({ code: 'custom', message: `${weakness}; generate one with: openssl rand -base64 32` })
})

/** Secrets as Better-Auth has them, the current one first: `2:<new>,1:<old>`. */
export const NumberedSecrets = z.string().transform((text, context): NumberedSecret[] => {
  const entries = text.split(',').map((entry) => /^(\d{1,9}):(.+)$/.exec(entry.trim()))
  const secrets = entries.flatMap((entry) => (entry ? [{ version: Number(entry[1]), value: entry[2] ?? '' }] : []))
  const isList = new Set(secrets.map(({ version }) => version)).size === entries.length
  const weakness = secrets.map(({ value }) => secretWeakness(value)).find(Boolean)
  if (!isList) context.addIssue({ code: 'custom', message: 'is not a list such as 2:<new>,1:<old>' })
  else if (weakness) context.addIssue({ code: 'custom', message: `holds a secret that ${weakness}` })
  return secrets
})
