import { readFileSync } from 'node:fs'

/** What is beside this module and `npm run build` copies: the list, and the license that goes with it. */
export const commonPasswordFiles = ['common-passwords.txt', 'common-passwords.LICENSE.txt']

// Forwards and backwards, what fingers find on a keyboard or somebody counts.
const rows = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
]
const runs = rows.flatMap((row) => [row, [...row].reverse().join('')])

let listed: ReadonlySet<string> | undefined

/**
 * Whether a password is among those that are tried first: on the list, a run of the keyboard, or one to four characters
 * again and again. The list is read when it is first asked for.
 * @param password in lower case
 */
export function isCommonPassword(password: string): boolean {
  listed ??= new Set(readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8').split('\n'))
  return listed.has(password) || runs.some((run) => run.includes(password)) || /^(.{1,4}?)\1+$/su.test(password)
}
