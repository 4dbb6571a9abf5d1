import { copyFileSync } from 'node:fs'
import { commonPasswordFiles } from '../resources/common-passwords.ts'
import { packagedScript } from './scalar-asset.ts'

// The last step of `npm run build`, which is run in the root.
copyFileSync(packagedScript(), new URL('./scalar.js', import.meta.url))
for (const name of commonPasswordFiles) {
  copyFileSync(`src/resources/${name}`, new URL(`../resources/${name}`, import.meta.url))
}
