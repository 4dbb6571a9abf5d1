import type { Explanation } from '../explained.ts'

export const oauth: readonly Explanation[] = [
  [
    "src/auth/oauth/authority.ts: grant_scopes?.includes('offline_access') → true",
    'tokens without a session are given where it was granted, alone',
  ],
  [
    'src/auth/oauth/authorization.ts: body === undefined → true',
    'a form that comes there is led to the same address with a query',
  ],
  ['src/auth/oauth/authorization.ts: code_challenge !== undefined → true', 'what is left out stays so'],
  ['src/auth/oauth/authorization.ts: isAPIError(answer) → true', 'nothing else that is thrown leads anywhere'],
  ['src/auth/oauth/authorization.ts: isAPIError(answer) → true (2)', 'nothing else that is thrown leads anywhere'],
  ['src/auth/oauth/authorization.ts: isOnDevice → true', 'for the others the provider answers so itself'],
  ["src/auth/oauth/authorization.ts: location !== '' → true", 'whoever navigates is always led somewhere'],
  ["src/auth/oauth/authorization.ts: typeof prompt === 'string' → true (2)", 'what is given twice is refused for that'],
  ["src/auth/oauth/authorization.ts: typeof value === 'string' → true", 'the provider takes a text alone'],
  [
    'src/auth/oauth/client-failures.ts: announcesBody((name) => c.req.header(name)) → true',
    'a body that is not announced is read as an empty one',
  ],
  [
    'src/auth/oauth/client-failures.ts: response.status !== 400 && response.status !== 401 → false',
    'no other answer has these errors',
  ],
  [
    'src/auth/oauth/client.ts: client.disabled → false',
    'the provider refuses it as well, and what it wrote until then is undone',
  ],
  ['src/auth/oauth/endpoints.ts: !isAPIError(error) → false (2)', 'nothing else that is thrown has a status code'],
  ['src/auth/oauth/endpoints.ts: !user → false', 'no machine may ask for openid'],
  ['src/auth/oauth/endpoints.ts: claims?.jti !== undefined → true', 'a token without one is none of a client'],
  [
    'src/auth/oauth/endpoints.ts: error instanceof ProblemError → true',
    'nothing else that is thrown has 401 for a status',
  ],
  ['src/auth/oauth/endpoints.ts: held → false', 'no access token is a refresh token'],
  ['src/auth/oauth/endpoints.ts: statusCode === 400 → true', 'the provider says these words with 400 alone'],
  ["src/auth/oauth/endpoints.ts: token === '' → false (2)", 'of no token the provider says other words'],
  ["src/auth/oauth/endpoints.ts: typeof standing === 'string' → false (2)", 'a word has no principal'],
  ['src/auth/oauth/oauth.queries.ts: clientId === undefined → false', 'no token is of no client'],
  ['src/auth/oauth/oauth.queries.ts: clientId === undefined → false (2)', 'no token is of no client'],
  ['src/auth/oauth/oauth.queries.ts: clientId → true', 'there is no client without an id'],
  [
    'src/auth/oauth/oauth.queries.ts: codeHash === undefined → false',
    'a grant is saved where a code is exchanged, alone',
  ],
  [
    'src/auth/oauth/oauth.queries.ts: found.client_id === clientId → true',
    'the other client is refused, and only waits for it',
  ],
  ['src/auth/oauth/oauth.queries.ts: session_id → true', 'there is no session without an id'],
  [
    'src/auth/oauth/token-events.ts: client === undefined → false',
    'who is no client is refused as such, of which nothing is written',
  ],
  ['src/auth/oauth/token.ts: !exchange → false', 'it throws all the same'],
  [
    'src/auth/oauth/token.ts: !isAPIError(error) → false',
    'nothing else that is thrown has a body, or 401 for a status code',
  ],
  [
    "src/auth/oauth/token.ts: body['grant_type'] === 'refresh_token' → true",
    'one beside a code is of the client itself, and only held',
  ],
  ['src/auth/oauth/token.ts: codeHash !== undefined → true', 'there is no code without a hash'],
  [
    "src/auth/oauth/token.ts: errorCode(error) === 'invalid_grant' → true",
    'only what is presented a second time is ended, whatever it is refused for',
  ],
  ['src/auth/oauth/token.ts: isAPIError(error) → true', 'nothing else that is thrown has a body'],
  ['src/auth/oauth/token.ts: isRefusal(error) → false (3)', 'the pinned provider hides no refusal of the database'],
  [
    'src/auth/oauth/token.ts: isRefusal(error) → true (2)',
    'what is told beside another failure is rolled back with it',
  ],
  [
    'src/auth/oauth/token.ts: isRefusedByDatabase(error) → true',
    'what is not told within the transaction is told after it',
  ],
  ['src/auth/oauth/token.ts: refreshHash === undefined → false', 'there is no token without a hash'],
  ['src/auth/oauth/token.ts: request !== undefined → true', 'the endpoint is called by requests alone'],
  ["src/auth/oauth/token.ts: typeof value === 'string' → true (2)", 'the name of nothing is too short for one'],
  ['src/auth/oauth/token.ts: user → true', 'a code has a user'],
  ['src/auth/oauth/transaction.ts: !isAPIError(error) → false', 'nothing else that is thrown has a body'],
  ['src/auth/oauth/transaction.ts: isAPIError(error) → true', 'nothing else that is thrown has a status code'],
  [
    "src/auth/oauth/transaction.ts: query.model !== 'oauthRefreshToken' → false",
    'of no other row the session goes into a token',
  ],
  [
    'src/auth/providers/discovery.ts: Date.now() - askedAt > maxAgeMs → Date.now() - askedAt >= maxAgeMs',
    'a millisecond of an hour',
  ],
  ["src/auth/providers/hooks.ts: typeof state === 'string' → true", 'of another state nothing is kept'],
  ["src/auth/providers/id-token.ts: !('sub' in profile) → false", 'no ID token is of an undefined subject'],
  ['src/auth/providers/id-token.ts: !idToken → false', 'the provider that is discovered has one'],
  [
    "src/auth/providers/id-token.ts: 'verify' in idToken → false",
    'the provider that is discovered has no other way to check one',
  ],
  [
    'src/auth/providers/id-token.ts: (verifyClaims?.(claims) ?? true) → true',
    'the provider that is discovered has no rules of its own',
  ],
  ['src/auth/providers/id-token.ts: found → true', 'with a nonce the token was checked, and there is something in it'],
  [
    "src/auth/providers/id-token.ts: log.warn({ err }, 'an ID token of Google is not taken') → nothing",
    'only a line: the sign-in is refused, and that is told',
  ],
  ["src/auth/providers/id-token.ts: sub.trim() !== '' → true", 'the library takes no blank subject, either'],
  [
    "src/auth/providers/id-token.ts: typeof sub === 'string' → true",
    'what is no text cannot be trimmed, and is refused for that',
  ],
  ['src/auth/providers/oidc.ts: !provider → false', 'what is not discovered fails in the next line'],
  ['src/auth/providers/oidc.ts: !refreshAccessToken → false', 'it fails in the next line'],
  [
    'src/auth/providers/outbound.ts: await reader.cancel() → nothing',
    'the answer is refused all the same, and its connection left to the garbage',
  ],
  ['src/auth/providers/outbound.ts: clearTimeout(timer) → nothing', 'who has answered is not asked any more'],
  ['src/auth/providers/outbound.ts: kept.delete(name) → nothing', 'nobody reads them of an answer that is made here'],
  ['src/auth/providers/outbound.ts: leftMs <= 0 → false', 'it is given up in the next moment'],
  ['src/auth/providers/outbound.ts: leftMs <= 0 → leftMs < 0', 'a moment of five seconds'],
  [
    "src/auth/providers/outbound.ts: signal.addEventListener('abort', () => void reader.cancel().catch(() => {})) → nothing",
    'fetch mostly does so itself',
  ],
  ['src/auth/providers/outbound.ts: signal.throwIfAborted() → nothing', 'fetch mostly does so itself'],
  ['src/auth/providers/sign-in.ts: !isAPIError(error) → false', 'nothing else that is thrown has a body, or headers'],
  [
    'src/auth/providers/sign-in.ts: /^[\\w-]{1,50}$/.test(id) → true',
    'no session begins with a provider of another name',
  ],
  ['src/auth/providers/sign-in.ts: cookie !== undefined → true', 'who is refused as banned is banned'],
  [
    "src/auth/providers/sign-in.ts: location.includes('error=BANNED_USER') → true",
    'who is banned is refused for that alone',
  ],
  [
    "src/auth/providers/sign-in.ts: typeof id === 'string' → true",
    'no session begins with a provider that has no name',
  ],
  ['src/auth/providers/sign-in.ts: user?.banned → true', 'who is refused as banned is banned'],
  ['src/auth/providers/sign-in.ts: userId !== undefined → true', 'who is banned has been found'],
]
