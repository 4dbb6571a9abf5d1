import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bundledPackage, installed, nameOf, readJson, readLockfile, shipped } from '../support/lockfile.ts'

const lockfile = readLockfile()
const { scripts, allowScripts } = readJson('package.json') as Record<
  'scripts' | 'allowScripts',
  Record<string, string | boolean>
>

// Each asks for nothing but that its text goes along, which it does within its package.
const allowedLicences = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'Apache-2.0',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '(MIT OR CC0-1.0)',
])

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

describe('what is shipped', () => {
  test('has a licence that was decided on', () => {
    const others = shipped(lockfile).filter(([, { license }]) => !allowedLicences.has(license ?? ''))
    expect(others.map(([path, { license }]) => `${nameOf(path)}: ${license}`)).toEqual([])
    const used = new Set(shipped(lockfile).map(([, { license }]) => license))
    expect([...allowedLicences].filter((licence) => !used.has(licence))).toEqual([])
  })

  test('is in the SBOM, all of it and nothing else, without a network', () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-sbom-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'sbom.json')
    // Nothing listens there.
    const env = { PATH: process.env['PATH'], HOME: folder, npm_config_registry: 'http://127.0.0.1:1' }
    execFileSync('npm', ['run', '--silent', 'sbom', '--', file], { env })

    const sbom = JSON.parse(readFileSync(file, 'utf8')) as Sbom
    const expected = shipped(lockfile).map(([path, { version, integrity = '', license }]) => ({
      name: nameOf(path),
      version,
      hash: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex'),
      license,
    }))
    const listed = sbom.components.map(({ name, version, hashes, licenses }) => ({
      name,
      version,
      hash: hashes[0]?.content,
      license: licenses[0]?.license?.id ?? licenses[0]?.expression,
    }))
    const key = ({ name, version }: { name: string; version: string | undefined }) => `${name}@${version}`
    const sorted = <T extends Parameters<typeof key>[0]>(all: T[]) => all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    expect(sorted(listed)).toEqual(sorted(expected))
    expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining(['hono', 'jose', bundledPackage]))
    expect(sbom).toMatchObject({
      bomFormat: 'CycloneDX',
      metadata: { component: { name: 'latchkey', type: 'application' } },
    })
  })
})

interface Sbom {
  bomFormat: string
  metadata: unknown
  components: {
    name: string
    version: string
    hashes: { content: string }[]
    licenses: { license?: { id: string }; expression?: string }[]
  }[]
}
