import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

const folders = readdirSync('tests', { withFileTypes: true }).filter((entry) => entry.isDirectory())
const files = folders
  .flatMap(({ name }) => readdirSync(join('tests', name)).map((file) => join('tests', name, file)))
  .filter((file) => /^attack-.*\.test\.ts$/.test(basename(file)))

/** The ids with which the names of tests begin: `A-01, A-02 …` is of both. */
function idsIn(file: string): string[] {
  const names = readFileSync(file, 'utf8').matchAll(/['"`]\(?((?:[A-Z]-\d\d(?:, | and )?)+)/g)
  return [...names].flatMap(([, ids = '']) => ids.match(/[A-Z]-\d\d/g) ?? [])
}

test('every attack of the list is tried, and none that is not on it', () => {
  const listed = [...readFileSync('docs/attacks.md', 'utf8').matchAll(/^- ([A-Z]-\d\d) /gm)].map(([, id = '']) => id)

  expect(new Set(listed).size).toBe(listed.length)
  expect([...new Set(files.flatMap(idsIn))].toSorted()).toEqual(listed.toSorted())
})
