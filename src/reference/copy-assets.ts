import { copyFileSync } from 'node:fs'
import { packagedScript } from './scalar-asset.ts'

// The last step of `npm run build`.
copyFileSync(packagedScript(), new URL('./scalar.js', import.meta.url))
