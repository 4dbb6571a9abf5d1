import type { Explanation } from '../explained.ts'

export const endpoints: readonly Explanation[] = [
  [
    'src/auth/endpoints/admin-rules.ts: before === undefined → false',
    'the endpoint refuses whom there is not, and nothing is mailed then',
  ],
  ['src/auth/endpoints/admin-rules.ts: now.banned → false', 'a ban ends the session'],
  ['src/auth/endpoints/admin-rules.ts: role !== undefined → true', 'of nobody there are no permissions'],
  [
    'src/auth/endpoints/admin-rules.ts: roles.names.includes(name) → true',
    'a role that there is not has no permissions, and is refused by the endpoint',
  ],
  [
    'src/auth/endpoints/email-change.ts: Date.now() - session.createdAt.getTime() < context.sessionConfig.freshAge * 1_000 → Date.now() - session.createdAt.getTime() <= context.sessionConfig.freshAge * 1_000',
    'a millisecond of the time in which a session is fresh',
  ],
  [
    'src/auth/endpoints/email-change.ts: found.expiresAt <= new Date() → found.expiresAt < new Date()',
    'a millisecond of an hour',
  ],
  ['src/auth/endpoints/former-session.ts: former !== newSession.session.token → true', 'a new session has a new token'],
  ['src/auth/endpoints/former-session.ts: former → true', 'there is no session of no token'],
  ['src/auth/endpoints/guard.ts: options.body → true (2)', 'an endpoint that reads no body is given an empty one'],
  [
    'src/auth/endpoints/guard.ts: actor.session_expires_at.getTime() <= Date.now() → actor.session_expires_at.getTime() < Date.now()',
    'a millisecond of the life of a session',
  ],
  ['src/auth/endpoints/guard.ts: context.request → true', 'nobody calls a guarded endpoint but by a request'],
  [
    'src/auth/endpoints/guard.ts: mayAsk !== undefined → false',
    'an endpoint without rules reads: who may not ask is refused before it',
  ],
  ['src/auth/endpoints/guard.ts: mayAsk || prepare → true', 'only speed: who asks is looked up, and not used'],
  ['src/auth/endpoints/guard.ts: token → true', 'there is no session of no token'],
  ['src/auth/endpoints/hash-ahead.ts: !passwordFault(text) → true', 'what can be no password is refused before'],
  [
    'src/auth/endpoints/hash-ahead.ts: asked.password === password → true',
    'the endpoint asks for the password that was sent',
  ],
  ['src/auth/endpoints/hash-ahead.ts: password === undefined → false', 'only speed: a hash is looked up, and not used'],
  ['src/auth/endpoints/hash-ahead.ts: password === undefined → false (2)', 'without a password no hash is looked up'],
  ['src/auth/endpoints/hold-actor.ts: actor.banned → false', 'a ban ends the session'],
  [
    'src/auth/endpoints/impersonation.ts: !(error instanceof APIError) → false',
    'nothing else that is thrown says these words',
  ],
  [
    'src/auth/endpoints/latchkey-plugin.ts: !sessionCookies.isOld(session.expiresAt) → false',
    'only speed: isDue asks the same of the row',
  ],
  [
    'src/auth/endpoints/latchkey-plugin.ts: assertPassword(((body ?? {}) as { newPassword?: unknown }).newPassword) → nothing',
    'both refuse it, too, once they have looked whose it is',
  ],
  [
    'src/auth/endpoints/latchkey-plugin.ts: mailer.isReal → true',
    'only how long it takes: without mail a sign-up says itself that an address is taken',
  ],
  ["src/auth/endpoints/latchkey-plugin.ts: path === '/change-password' → false", 'checksOwn refuses it, too'],
  [
    "src/auth/endpoints/latchkey-plugin.ts: path === '/reset-password' → false",
    'preparePasswordReset refuses it, too, once it has looked at the link',
  ],
  ['src/auth/endpoints/latchkey-plugin.ts: request → true', 'undefined is the key of nothing'],
  [
    "src/auth/endpoints/latchkey-plugin.ts: typeof given.email === 'string' → true",
    'what is no address assertProfile has refused',
  ],
  [
    'src/auth/endpoints/mail-callbacks.ts: next.length <= maxNextChars → next.length < maxNextChars',
    'a character of 2,000',
  ],
  ['src/auth/endpoints/mail-callbacks.ts: returnsTo → true', 'Better-Auth always says where a link leads on'],
  [
    'src/auth/endpoints/password-reset.ts: found.expiresAt > new Date() → found.expiresAt >= new Date()',
    'a millisecond of the life of a link',
  ],
  ['src/auth/endpoints/password-reset.ts: userId === undefined → false', 'nobody has no id'],
  ['src/auth/endpoints/session-lists.ts: path !== undefined → true', 'undefined is no path of a list'],
  ['src/auth/endpoints/sign-in-told.ts: path !== undefined → true', 'undefined is no path of a sign-in'],
  [
    'src/auth/endpoints/sign-in-told.ts: returned.statusCode >= 400 → true',
    'only a line: of who is led on, which is no refusal',
  ],
  [
    "src/auth/endpoints/sign-in-told.ts: typeof email === 'string' → true",
    'without an address a sign-in is malformed, of which nothing is told',
  ],
  [
    'src/auth/endpoints/unconfirmed-browser.ts: !isAPIError(returned) → false',
    'what is no refusal has no body with a code',
  ],
  [
    'src/auth/endpoints/unconfirmed-browser.ts: !isAPIError(returned) → false (2)',
    'what is no refusal has neither a body with a code nor a location',
  ],
  ['src/auth/endpoints/unconfirmed-browser.ts: context.request → true', 'nobody signs in but by a request'],
  ['src/auth/endpoints/unconfirmed-browser.ts: ctx.request → true', 'nobody signs in but by a request'],
  ['src/auth/endpoints/unconfirmed-browser.ts: path !== undefined → true', 'undefined is no path of a sign-in'],
  ['src/auth/endpoints/unconfirmed-browser.ts: request → true', 'nobody is mailed a link but for a request'],
  ['src/auth/endpoints/unconfirmed-browser.ts: request → true (2)', 'undefined is the key of nothing'],
]
