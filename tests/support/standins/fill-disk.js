import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Fills the disk of a folder with a file called `filler` in it. In JavaScript, as a program that is not built does it, too.
 * @param {string} folder
 * @param {number} leave how many bytes stay free
 */
export function fillDisk(folder, leave = 0) {
  const { bavail, bsize } = statfsSync(folder)
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leave)))
  } catch (error) {
    // Somebody else has written meanwhile: it is full all the same.
    if (error.code !== 'ENOSPC') throw error
  }
}
