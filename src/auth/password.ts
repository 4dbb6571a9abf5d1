import { randomBytes } from 'node:crypto'
import { isSameText } from '../http/constant-time.ts'
import type { HashLane } from './hashing/hash-lane.ts'

/** Hashes and checks passwords, in the form that Better-Auth itself stores. */
export interface Passwords {
  /** @throws ProblemError `overloaded` */
  hash: (password: string) => Promise<string>
  /** @throws ProblemError `overloaded`, and Error for what is no hash */
  verify: (asked: { hash: string; password: string }) => Promise<boolean>
}

const saltBytes = 16

/** Makes the one way in which passwords are hashed and checked: `<salt>:<key>`, both in hex, by scrypt in the lane. */
export function createPasswords({ deriveKey }: HashLane): Passwords {
  return {
    async hash(password) {
      const salt = randomBytes(saltBytes).toString('hex')
      return `${salt}:${await deriveKey(password, salt)}`
    },
    async verify({ hash, password }) {
      const [salt, key] = hash.split(':')
      if (!salt || !key) throw new Error('The password hash that is stored is none')
      return isSameText(await deriveKey(password, salt), key)
    },
  }
}
