import { expect, onTestFinished, test, vi } from 'vitest'
import { createSecrets } from '../../src/auth/secrets.ts'
import { createSessionCookies } from '../../src/auth/session-cookie.ts'

const [hourMs, dayMs] = [3_600_000, 24 * 3_600_000]
const now = Date.parse('2026-01-01T00:00:00Z')
const cookies = createSessionCookies({ secrets: createSecrets('a secret'), secure: false, idleMs: 7 * dayMs })
const at = (ms: number) => new Date(now + ms)

/** A session that began a week ago, was used until a day ago and may last for 30 days, with `changes`. */
const session = (changes: Partial<Parameters<typeof cookies.isDue>[0]> = {}) => ({
  session_created_at: at(-7 * dayMs),
  session_expires_at: at(6 * dayMs),
  session_not_after: at(23 * dayMs),
  ...changes,
})

test.each<[string, boolean, ReturnType<typeof session>]>([
  ['was prolonged a day ago', true, session()],
  ['was prolonged less than a day ago', false, session({ session_expires_at: at(6 * dayMs + 1) })],
  ['ends when it must', false, session({ session_expires_at: at(dayMs), session_not_after: at(dayMs) })],
  ['ends a moment before it must', true, session({ session_expires_at: at(dayMs - 1), session_not_after: at(dayMs) })],
  [
    'may last for two days',
    true,
    session({ session_created_at: at(-dayMs), session_expires_at: at(hourMs), session_not_after: at(dayMs) }),
  ],
  [
    'may last for less than two days',
    false,
    session({ session_created_at: at(-dayMs + 1), session_expires_at: at(hourMs), session_not_after: at(dayMs) }),
  ],
  ['has no end', false, session({ session_expires_at: null })],
  ['has no last end', false, session({ session_not_after: null })],
  ['has no beginning', false, session({ session_created_at: null })],
])('a session that %s is to be prolonged: %s', (_which, isDue, row) => {
  vi.useFakeTimers({ toFake: ['Date'], now })
  onTestFinished(() => void vi.useRealTimers())

  expect(cookies.isDue(row)).toBe(isDue)
})
