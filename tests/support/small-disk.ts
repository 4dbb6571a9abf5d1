import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { fillDisk } from './standins/fill-disk.js'

/** Whether this user may mount a file system of their own. */
export const canMount = tryMount()

/** A file system of a few megabytes, until the test is finished. */
export interface SmallDisk {
  folder: string
  /** Leaves room for so many bytes and no more. */
  fill: (leave?: number) => void
  /** Gives back what was filled. */
  free: () => void
}

/** @param size as `mount` takes it, such as 64m */
export function mountMemory(size: string): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  onTestFinished(() => unmount(folder))
  const free = () => rmSync(join(folder, 'filler'), { force: true })
  return {
    folder,
    fill(leave = 0) {
      free()
      fillDisk(folder, leave)
    },
    free,
  }
}

/** Lazily: who still holds a file of it lets go of it later. */
function unmount(folder: string): void {
  execFileSync('umount', ['--lazy', folder])
  rmdirSync(folder)
}

function tryMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder], { stdio: 'pipe' })
    return true
  } catch {
    return false
  } finally {
    rmdirSync(folder)
  }
}
