import { readFileSync } from 'node:fs'

/** What the lockfile says of a package, and of this one, whose key is empty. */
export interface LockedPackage {
  version?: string
  integrity?: string
  resolved?: string
  license?: string
  link?: boolean
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
  hasInstallScript?: boolean
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  workspaces?: string[]
}

export interface Lockfile {
  packages: Record<string, LockedPackage>
}

/** The only development package of which a part is shipped: the build copies its browser script. */
export const bundledPackage = '@scalar/api-reference'

/** A JSON file of the repository, by its path there. */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))
}

export function readLockfile(): Lockfile {
  return readJson('package-lock.json') as Lockfile
}

/** The packages of others that the lockfile has, by their folders. */
export function installed({ packages }: Lockfile): [path: string, found: LockedPackage][] {
  return Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link)
}

/** The packages of which something is shipped: those that the image installs, and the one that the build copies from. */
export function shipped(lockfile: Lockfile): [path: string, found: LockedPackage][] {
  return installed(lockfile).filter(
    ([path, { dev, optional, devOptional }]) =>
      path === `node_modules/${bundledPackage}` || !(dev || optional || devOptional),
  )
}

/** The name of a package in a folder, as `@scope/name` of `node_modules/a/node_modules/@scope/name`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
