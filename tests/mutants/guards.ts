import { readdirSync, readFileSync } from 'node:fs'
import type { Source } from './mutations.ts'

// The rest of `src` is held by what it does.
const guarding = /^src\/(auth\/.*\.ts|http\/.*\.ts|.*\.routes\.tsx?)$/

/** The source files that guard something, by name. */
export function readGuards(): Source[] {
  const paths = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((name) => `src/${name}`)
  const names = paths.filter((path) => guarding.test(path)).toSorted()
  return names.map((name) => ({ name, text: readFileSync(name, 'utf8') }))
}
