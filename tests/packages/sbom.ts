import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundledPackage, readJson, readLockfile, shipped } from '../support/lockfile.ts'

// A software bill of materials, CycloneDX 1.5, of what is shipped: `npm run sbom`, or with the path of the file to write.
// `npm sbom --omit dev` leaves out what development needs too, such as jose, so npm is shown what is shipped and no more.
const lockfile = readLockfile()
const { devDependencies: development, workspaces: _, ...root } = lockfile.packages[''] ?? {}
const dependencies = { ...root.dependencies, [bundledPackage]: development?.[bundledPackage] }
const packages = Object.fromEntries(
  shipped(lockfile).map(([path, found]) => {
    const { dev: __, devOptional: ___, optional: ____, dependencies: own, ...kept } = found
    // Of its own dependencies there are parts in its script, of versions that its makers chose.
    return [path, path === `node_modules/${bundledPackage}` ? kept : { ...kept, ...(own && { dependencies: own }) }]
  }),
)
const { name, version, license, type } = readJson('package.json') as Record<string, string>

const temporary = mkdtempSync(join(tmpdir(), 'latchkey-sbom-'))
try {
  // npm calls the whole after its folder.
  const folder = join(temporary, 'latchkey')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, license, type, dependencies }))
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({ ...lockfile, packages: { '': { ...root, dependencies }, ...packages } }),
  )
  const options = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only']
  writeFileSync(process.argv[2] ?? 'sbom.cdx.json', execFileSync('npm', ['sbom', ...options], { cwd: folder }))
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
