import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(path, 'utf8')

const files = readdirSync('tests')
  .filter((folder) => folder !== 'clients')
  .flatMap((folder) => readdirSync(join('tests', folder)).map((file) => join('tests', folder, file)))
  .filter((file) => file.endsWith('.ts'))

/** The ids in a file of tests, or of what they try. */
function idsIn(file: string): string[] {
  const code = read(file).replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  // In a name there are words after it; a fault's figures are told by the id alone.
  return code.match(/\b(?:[JAEOISXPNBHD]-\d\d\b|R-\d\d(?=[ ,]))/g) ?? []
}

const isFault = (id: string) => id.startsWith('R-')
const tried = [...new Set(files.flatMap(idsIn))].toSorted()
const listedIn = (path: string) => [...read(path).matchAll(/^- ([A-Z]-\d\d) /gm)].map(([, id = '']) => id)

test.each([
  ['attack', 'docs/attacks.md', (id: string) => !isFault(id)],
  ['fault', 'docs/faults.md', isFault],
] as const)('every %s of the list is tried, and none that is not on it', (_what, list, belongs) => {
  const listed = listedIn(list)

  expect(new Set(listed).size).toBe(listed.length)
  expect(tried.filter(belongs)).toEqual(listed.filter(belongs).toSorted())
})
