import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { convert } from 'ast-v8-to-istanbul'
import type { BranchMapping, CoverageMap, FileCoverageData, Range } from 'istanbul-lib-coverage'
import { parseAstAsync } from 'vitest/node'

/**
 * Adds to `map` what the processes that the tests started reached.
 * @param root where the service was built, see `buildInto`
 * @param folder what NODE_V8_COVERAGE made the processes write
 */
export async function addChildren(map: CoverageMap, root: string, folder: string): Promise<void> {
  const built = join(root, 'dist/src/')
  for (const name of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: Script[] }
    for (const script of result.filter(({ url }) => url.startsWith(pathToFileURL(built).href))) {
      const file = fileURLToPath(script.url)
      for (const [source, data] of Object.entries(await convert(programOf(file, script)))) {
        if (map.files().includes(source)) addHits(map.fileCoverageFor(source).data, data)
      }
    }
  }
}

type Script = Parameters<typeof convert>[0]['coverage']
type SourceMap = NonNullable<Parameters<typeof convert>[0]['sourceMap']>

function programOf(file: string, coverage: Script) {
  const code = readFileSync(file, 'utf8')
  const sourceMap = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMap
  // Parsed anew each time: a conversion leaves its marks in the tree.
  return { code, sourceMap, coverage, ast: parseAstAsync(code) }
}

/** Adds the hits of `other`: of the same source, but of other JavaScript, so that only where a thing begins is the same. */
function addHits(data: FileCoverageData, other: FileCoverageData): void {
  const statements = placesOf(Object.entries(other.statementMap), (range) => range)
  for (const [place, id] of placesOf(Object.entries(data.statementMap), (range) => range)) {
    data.s[id] = (data.s[id] ?? 0) + (other.s[statements.get(place) ?? ''] ?? 0)
  }
  const functions = placesOf(Object.entries(other.fnMap), ({ decl }) => decl)
  for (const [place, id] of placesOf(Object.entries(data.fnMap), ({ decl }) => decl)) {
    data.f[id] = (data.f[id] ?? 0) + (other.f[functions.get(place) ?? ''] ?? 0)
  }
  const branches = placesOf(Object.entries(other.branchMap), firstPath)
  for (const [place, id] of placesOf(Object.entries(data.branchMap), firstPath)) {
    const hits = other.b[branches.get(place) ?? '']
    data.b[id] = (data.b[id] ?? []).map((count, i) => count + (hits?.[i] ?? 0))
  }
}

// Where the branch as a whole begins is told differently for other JavaScript.
function firstPath({ loc, locations }: BranchMapping): Range {
  return locations[0] ?? loc
}

/** The ids of an Istanbul map by where each begins, and which of those that begin there it is. */
function placesOf<T>(entries: [id: string, T][], rangeOf: (value: T) => Range): Map<string, string> {
  const places = new Map<string, string>()
  for (const [id, value] of entries) {
    const { line, column } = rangeOf(value).start
    let place = `${line}:${column}`
    while (places.has(place)) place += '+'
    places.set(place, id)
  }
  return places
}
