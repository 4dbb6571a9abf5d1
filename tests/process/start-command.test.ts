import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

test('the image starts the service as npm start does', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const [, command = '[]'] = /^CMD (\[.*\])$/m.exec(read('Dockerfile')) ?? []

  expect((JSON.parse(command) as string[]).join(' ')).toBe(
    scripts['start']?.replace('npm run build --silent && exec ', ''),
  )
})
