import { createHash, randomBytes } from 'node:crypto'

/** A secret that a client keeps: 256 random bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored of a client's secret, a code or a token. They are random, so that one round of SHA-256 is enough. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
