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
  return code.match(/\b[JAEOISXPNBHD]-\d\d\b/g) ?? []
}

test('every attack of the list is tried, and none that is not on it', () => {
  const listed = [...read('docs/attacks.md').matchAll(/^- ([A-Z]-\d\d) /gm)].map(([, id = '']) => id)

  expect(new Set(listed).size).toBe(listed.length)
  expect([...new Set(files.flatMap(idsIn))].toSorted()).toEqual(listed.toSorted())
})
