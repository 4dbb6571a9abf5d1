import { copyFileSync } from 'node:fs'
import { commonPasswordFiles } from '../resources/common-passwords.ts'
import { packagedScript } from './scalar-asset.ts'

// The last step of `npm run build`.
copyFileSync(packagedScript(), new URL('./scalar.js', import.meta.url))
for (const name of commonPasswordFiles) {
  const source = new URL(`../../../src/resources/${name}`, import.meta.url)
  copyFileSync(source, new URL(`../resources/${name}`, import.meta.url))
}
