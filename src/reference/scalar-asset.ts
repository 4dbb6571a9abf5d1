import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

// `npm run build` puts the script beside the compiled code, so that the package that ships it need not be installed.
const bundled = new URL('./scalar.js', import.meta.url)

/** Where the package that ships Scalar's browser script has it; its `exports` do not name the file. */
export function packagedScript(): string {
  return join(createRequire(import.meta.url).resolve('@scalar/api-reference'), '../browser/standalone.js')
}

/** Scalar's browser script, read and compressed when it is first asked for: it has several megabytes. */
export function createScalarAsset(): () => Promise<{ plain: Buffer; gzipped: Buffer }> {
  let asset: Promise<{ plain: Buffer; gzipped: Buffer }> | undefined
  return () => {
    asset ??= (async () => {
      const plain = readFileSync(existsSync(bundled) ? bundled : packagedScript())
      return { plain, gzipped: await promisify(gzip)(plain) }
    })()
    return asset
  }
}
