import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

// `npm run build` puts the script beside the compiled code, so that the package that ships it need not be installed.
const bundled = new URL('./scalar.js', import.meta.url)

/** Where Scalar's browser script is: beside the compiled code, or in the package that ships it. */
export function scalarScript(): string | URL {
  if (existsSync(bundled)) return bundled
  return createRequire(import.meta.url).resolve('@scalar/api-reference/dist/browser/standalone.js')
}

/** Reads and compresses the script when it is first asked for; it has several megabytes. */
export function createScalarAsset(): () => Promise<{ plain: Buffer; gzipped: Buffer }> {
  let asset: Promise<{ plain: Buffer; gzipped: Buffer }> | undefined
  return () => {
    asset ??= (async () => {
      const plain = readFileSync(scalarScript())
      return { plain, gzipped: await promisify(gzip)(plain) }
    })()
    return asset
  }
}
