import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

// The npm of Node 20 and 22 installs from no lockfile with a peer of another version, optional or not; later ones do.
test('every package of the lockfile finds what it asks for, in a version that it takes', () => {
  const report = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], { encoding: 'utf8' })
  expect([report.status, report.stderr.match(/^npm error .*/gm)]).toEqual([0, null])
})
