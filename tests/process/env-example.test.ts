import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseConfig, variables } from '../../src/config.ts'
import { faultsOf, postgres } from '../support/config-faults.ts'
import { secret } from '../support/harness.ts'

const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
const entries = [...example.matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value] as const)

test('.env.example lists every variable, in the order of the schema', () => {
  expect(entries.map(([name]) => name)).toEqual([...variables])
})

test('.env.example holds values that may be used, and no secret', () => {
  const used = Object.fromEntries(entries)

  expect(
    parseConfig({
      ...used,
      ...postgres,
      JWT_SHARED_SECRET: [...secret].reverse().join(''),
      ADMIN_EMAIL: '',
      ADMIN_PASSWORD: '',
    }),
  ).toBeTruthy()
  expect(entries.filter(([name, value]) => /SECRET|PASSWORD/.test(name) && value !== '')).toEqual([])
})

test('.env.example cannot be started with by uncommenting it', () => {
  const faults = faultsOf(Object.fromEntries(entries))

  expect(faults).toContainEqual(expect.stringMatching(/^BETTER_AUTH_SECRET: is missing/))
})
