import { expect, onTestFinished, test, vi } from 'vitest'
import { hasJustSignedIn } from '../../src/auth/endpoints/account-hooks.ts'
import type { EndpointCall } from '../../src/auth/endpoints/guard.ts'

test.each([
  ['a moment less than a quarter of an hour ago', 899_999, undefined],
  ['a quarter of an hour ago', 900_000, 'SESSION_NOT_FRESH'],
  ['never', undefined, 'SESSION_NOT_FRESH'],
])('who signed in %s may add a way to do so, or not', async (_when, agoMs, refusal) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const session_created_at = agoMs === undefined ? null : new Date(Date.now() - agoMs)
  const ask = async () => hasJustSignedIn({ actor: { session_created_at } } as EndpointCall)

  const refused = await ask().catch((error: { body: { code: string } }) => error.body.code)

  expect(refused).toBe(refusal)
})
