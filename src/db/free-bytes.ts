import { statfsSync } from 'node:fs'

/** How many bytes may still be written where a file or folder is. @throws what the system answers, as that it is not there */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}
