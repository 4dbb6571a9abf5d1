import { readFileSync } from 'node:fs'

export const readme = readFileSync('README.md', 'utf8')

/** The text of a section of the README, without its heading. */
export function section(title: string): string {
  const [, after = ''] = readme.split(`\n## ${title}\n`)
  return after.split('\n## ')[0] ?? ''
}

/** The pieces of code in a section that are written in a language. */
export function codesIn(title: string, language: string): string[] {
  const [, ...pieces] = section(title).split(`\`\`\`${language}\n`)
  return pieces.map((piece) => piece.split('```')[0] ?? '')
}

/** The first of them. */
export function codeIn(title: string, language: string): string {
  return codesIn(title, language)[0] ?? ''
}
