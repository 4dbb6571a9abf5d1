import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(path, 'utf8')

/** The files that `npm run test:attack` runs, and those in which they keep what they try. */
function attackFiles(): string[] {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const filters = [...(scripts['test:attack']?.split(' ').slice(2) ?? []), join('tests', 'support')]
  return readdirSync('tests')
    .filter((folder) => folder !== 'clients')
    .flatMap((folder) => readdirSync(join('tests', folder)).map((file) => join('tests', folder, file)))
    .filter((file) => file.endsWith('.ts') && filters.some((filter) => file.includes(filter)))
}

/** The ids in the names of tests. */
function idsIn(file: string): string[] {
  const code = read(file).replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  return code.match(/\b[A-Z]-\d\d\b/g) ?? []
}

test('every attack of the list is tried, and none that is not on it', () => {
  const listed = [...read('docs/attacks.md').matchAll(/^- ([A-Z]-\d\d) /gm)].map(([, id = '']) => id)

  expect(new Set(listed).size).toBe(listed.length)
  expect([...new Set(attackFiles().flatMap(idsIn))].toSorted()).toEqual(listed.toSorted())
})
