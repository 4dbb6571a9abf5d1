import { scryptSync } from 'node:crypto'

// Those of Better-Auth, whose hashes these are; 32 MiB each.
const keyBytes = 64
const parameters = { N: 16_384, r: 16, p: 1, maxmem: 64 * 1_024 * 1_024 }

/**
 * Derives the key of a password, in a worker thread: JavaScript, because a thread loads it as it is from src and from
 * dist alike. Synchronous, so that it leaves the libuv pool to who verifies tokens.
 * @param {{ password: string, salt: string }} job the password in any Unicode form, the salt as text
 * @returns {string} the key, in hex
 * @see RFC 7914
 */
export function deriveKey({ password, salt }) {
  return scryptSync(password.normalize('NFKC'), salt, keyBytes, parameters).toString('hex')
}
