import type { Explanation } from '../explained.ts'

export const others: readonly Explanation[] = [
  [
    'src/health/health.routes.ts: db !== undefined → true',
    'what asks a database that is not there fails, which is taken for no',
  ],
  ["src/http/address-limit.ts: outcome.status === 'fulfilled' → true", 'what was rejected has been thrown before'],
  ["src/http/body.ts: c.req.header('content-type') !== undefined → true", 'what is not there is not deleted'],
  [
    "src/http/client-address.ts: !address.includes(':') → false",
    'only speed: what is not IPv6 is its own block once parsed, too',
  ],
  ['src/http/exchange.ts: !exchange → false', 'every request comes through createServer'],
  ['src/http/flat.ts: matches.length < 2 → false', 'only speed: one handler, or none, answers the same in a chain'],
  ['src/http/json.ts: text === undefined → true', 'only speed: the same row is written again, to the same'],
  ['src/http/page.ts: last !== undefined → true', 'a page has a row at least where more follow'],
  ['src/http/problem.ts: errors → true', 'JSON leaves out what is undefined'],
  ['src/http/problem.ts: first → true', 'where there is a place there is a first fault'],
  [
    'src/http/quota.ts: other.endsInMs > one.endsInMs → other.endsInMs >= one.endsInMs',
    'of two that refuse for as long either says so',
  ],
  [
    'src/http/quota.ts: other.remaining < one.remaining → other.remaining <= one.remaining',
    'of two with as much left either says so',
  ],
  ['src/http/request-limit.ts: i < clients.length → i <= clients.length', 'of nobody nothing is told'],
  ['src/http/response.ts: i < list.length → i <= list.length', 'nothing has no name'],
  [
    'src/http/response.ts: named.some((name) => names.has(name)) → true',
    'only speed: where none is named all are kept',
  ],
  ["src/http/server.ts: error.code === 'ECONNRESET' → false", 'what is written to who has gone is lost'],
  ['src/http/server.ts: i < rawHeaders.length → i <= rawHeaders.length', 'nothing has no name'],
  ['src/http/server.ts: name?.length === 4 → true', 'only speed: no name of another length is host'],
  [
    'src/http/server.ts: socket.destroy() → nothing',
    'what was reset is gone, and what has ended goes once it is written',
  ],
  [
    'src/pages/account.routes.tsx: !c.var.principal → false',
    'the page that would be shown leads who is nobody to sign in, too',
  ],
  ['src/pages/account.routes.tsx: answer.isOk → true (3)', 'an error names no URL'],
  [
    'src/pages/account.routes.tsx: answer.status === 401 → false',
    'the page that would be shown leads who is nobody to sign in, too',
  ],
  ['src/pages/account.routes.tsx: notice === undefined → false', 'a notice that is undefined is none'],
  ['src/pages/account.routes.tsx: url → true', 'where it worked there is a URL'],
  ['src/pages/consent.routes.tsx: answer.isOk → true', 'an error names no URL'],
  ['src/pages/consent.routes.tsx: url → true', 'where it worked there is a URL'],
  [
    'src/pages/pages.routes.tsx: c.var.principal → false',
    'the page to sign in leads who is signed in on to the account',
  ],
  ['src/pages/password.routes.tsx: given !== undefined → true', 'no token is as good as a wrong one'],
  ['src/pages/setup.routes.tsx: isOk → false', 'the page to sign in leads who is signed in on to the account'],
  ['src/pages/setup.routes.tsx: isOk → true', 'the account leads who is not signed in to do so'],
  ['src/pages/sign-in.routes.tsx: answer.isOk → true (2)', 'an error names no URL'],
  ["src/pages/sign-in.routes.tsx: next === '/account' → false", 'the account is where people are led anyway'],
  ['src/pages/sign-in.routes.tsx: url → true', 'where it worked there is a URL'],
  ['src/pages/sign-out.routes.tsx: !client_id → false', 'no client has no id, and none is found'],
  ['src/pages/sign-out.routes.tsx: !uri → false', 'no client has registered no address, and none is found'],
  ["src/pages/sign-up.routes.tsx: next === '/account' → false", 'the account is where people are led anyway'],
  ['src/sessions/sessions.routes.ts: sessionId === null → false', 'there is no session without an id'],
  [
    'src/tokens/tokens.routes.ts: error instanceof ProblemError → true',
    'nothing else that is thrown has 401 for a status',
  ],
  ['src/tokens/tokens.routes.ts: error.status === 401 → true', 'all that is said of a token is a 401'],
  [
    'src/users/users.routes.ts: change.email === undefined → false',
    'only speed: an address that stays is told to nobody',
  ],
]
