import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

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

/** The secret kept in `directory`, generated there on first use, readable by its owner only. */
export async function keptSecret(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'secret')
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  // Linked into place whole, and only by the first of several processes.
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft, { force: true })
  await chmod(path, 0o600)
  const secret = (await readFile(path, 'utf8')).trim()
  const weakness = secretWeakness(secret)
  if (weakness) throw new Error(`${path}: ${weakness}. Remove the file to generate a new one; every session ends then.`)
  return secret
}
