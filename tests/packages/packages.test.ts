import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { installed, nameOf, readJson, readLockfile } from '../support/lockfile.ts'

const lockfile = readLockfile()
const { scripts, allowScripts } = readJson('package.json') as Record<
  'scripts' | 'allowScripts',
  Record<string, string | boolean>
>

// The packages that want to run a script when they are installed, and why each may not.
const installScripts: Record<string, string> = {
  esbuild: 'It puts its binary where a small program would start it, which saves milliseconds; tsx works without.',
  'vue-demi': 'It chooses between Vue 2 and Vue 3, of which there is one, for a package whose built script is used.',
}

test('every package of the lockfile comes from the registry, held to a SHA-512', () => {
  const faults = installed(lockfile).filter(
    ([, { integrity, resolved }]) =>
      !/^sha512-[\w+/]{86}==$/.test(integrity ?? '') ||
      (resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/')),
  )
  expect(installed(lockfile).length).toBeGreaterThan(500)
  expect(faults).toEqual([])
})

// The npm of Node 20 and 22 installs from no lockfile with a peer of another version, optional or not; later ones do.
test('every package of the lockfile finds what it asks for, in a version that it takes', () => {
  const report = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], { encoding: 'utf8' })
  expect([report.status, report.stderr.match(/^npm error .*/gm)]).toEqual([0, null])
})

describe('a package that wants to run a script when it is installed', () => {
  test('is known, and was decided on', () => {
    const wanting = new Set(
      installed(lockfile).flatMap(([path, found]) => (found.hasInstallScript ? nameOf(path) : [])),
    )
    expect([...wanting].toSorted()).toEqual(Object.keys(installScripts))
    expect(allowScripts).toEqual(Object.fromEntries(Object.keys(installScripts).map((name) => [name, false])))
  })

  test('does not, and neither do scripts of ours that npm would run before or after others', () => {
    expect(readFileSync(new URL('../../.npmrc', import.meta.url), 'utf8').split('\n')).toContain('ignore-scripts=true')
    const implied = Object.keys(scripts).filter((name) => /^(pre|post)/.test(name) || name === 'install')
    expect(implied).toEqual([])
  })
})
