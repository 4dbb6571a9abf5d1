import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/asvs.md', 'utf8')
const statuses = ['met', 'not met', 'does not apply', 'the deployer’s']

const requirements = [...page.matchAll(/^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
  ([, number = '', asked = '', status = '', shown = '']) => ({ number, asked, status, shown }),
)

/** What of the words that are to stand in a test does not, with its file. */
function missing(shown: string): string[] {
  return [...shown.matchAll(/`(\w+\/[\w-]+)`((?:,? “[^”]+”)+)/g)].flatMap(([, name = '', words = '']) => {
    const path = `tests/${name}.test.ts`
    if (!existsSync(path)) return [path]
    const code = readFileSync(path, 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
    const named = [...words.matchAll(/“([^”]+)”/g)].map(([, word = '']) => word)
    return named.filter((word) => !code.includes(word)).map((word) => `${path}: ${word}`)
  })
}

test('every test that shows a requirement of ASVS is there', () => {
  expect(requirements.flatMap(({ shown }) => missing(shown))).toEqual([])
  // Words without a file would be looked for nowhere.
  const loose = requirements.map(({ shown }) => shown.replaceAll(/`\w+\/[\w-]+`(?:,? “[^”]+”)+/g, ''))
  expect(loose.filter((rest) => rest.includes('“'))).toEqual([])
})

test('every section of the page that shows a requirement of ASVS is there', () => {
  const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-'))
  const linked = [...page.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor = '']) => anchor)
  expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([])
})

test('every requirement of ASVS is told once, in few words, with a status, and counted', () => {
  const rows = page.match(/^\| \d+\..*$/gm) ?? []
  expect(requirements.map(({ number }) => number)).toHaveLength(rows.length)
  expect(new Set(requirements.map(({ number }) => number)).size).toBe(rows.length)
  expect(requirements.filter(({ asked }) => asked.split(' ').length > 15)).toEqual([])
  expect(requirements.filter(({ status }) => !statuses.includes(status))).toEqual([])

  const [, ...counts] = /^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/m.exec(page) ?? []
  const found = statuses.map((wanted) => requirements.filter(({ status }) => status === wanted).length)
  expect(counts.map(Number)).toEqual([...found, requirements.length])
})
