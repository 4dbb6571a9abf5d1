import { expect, test } from 'vitest'
import { type Taken, tighter } from '../../src/http/quota.ts'

const quota = { name: 'any', most: 10, windowSeconds: 60 }
const left = (remaining: number, endsInMs: number): Taken => ({
  quota,
  isAllowed: remaining > 0,
  remaining,
  endsInMs,
})

test.each<[string, Taken, Taken]>([
  ['what refuses, of one that does', left(0, 1_000), left(5, 60_000)],
  ['what refuses for longer, of two that do', left(0, 60_000), left(0, 1_000)],
  ['what has less left, of two that do not', left(1, 1_000), left(5, 60_000)],
])('of two quotas, %s says more', (_, one, other) => {
  expect(tighter(one, other)).toBe(one)
  expect(tighter(other, one)).toBe(one)
})
