import { appendFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const never = new Int32Array(new SharedArrayBuffer(4))

/**
 * In place of scrypt: notes in a folder that it has begun, and comes to an end once the file `go` is there. The file
 * `dies` ends its thread, and goes with it; `mortal` ends every thread.
 * @param {{ password: string, salt: string }} job the folder as its password
 * @returns {string} the salt
 */
export function deriveKey({ password: folder, salt }) {
  const has = (/** @type {string} */ name) => existsSync(join(folder, name))
  appendFileSync(join(folder, 'began'), `${salt}\n`)
  if (has('dies')) {
    rmSync(join(folder, 'dies'))
    process.exit(1)
  }
  if (has('mortal')) process.exit(1)
  while (!has('go')) Atomics.wait(never, 0, 0, 5)
  return salt
}
