import { readFileSync } from 'node:fs'

export const readme = readFileSync('README.md', 'utf8')

/** The text of a section of the README, without its heading. */
export function section(title: string): string {
  const [, after = ''] = readme.split(`\n## ${title}\n`)
  return after.split('\n## ')[0] ?? ''
}

/** The first code in a section that is written in a language. */
export function codeIn(title: string, language: string): string {
  return section(title).split(`\`\`\`${language}\n`)[1]?.split('```')[0] ?? ''
}
