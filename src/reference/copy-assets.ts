import { copyFileSync } from 'node:fs'
import { createRequire } from 'node:module'

// The last step of `npm run build`.
const source = createRequire(import.meta.url).resolve('@scalar/api-reference/dist/browser/standalone.js')
copyFileSync(source, new URL('./scalar.js', import.meta.url))
