// The endpoints of the OAuth provider, in place of what its plugin says of them: bodies are forms, errors are
// `{error, error_description}`.

const error = {
  description: 'Refused: `error` says why (RFC 6749 section 5.2)',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        properties: { error: { type: 'string' }, error_description: { type: 'string' } },
        required: ['error'],
      },
      example: { error: 'invalid_grant', error_description: 'invalid code' },
    },
  },
}
const failures = {
  400: error,
  401: { ...error, description: 'The client, or the token, is not good' },
  413: { ...error, description: 'The body is larger than 64 KiB.' },
  415: { ...error, description: 'The body must be a form.' },
  429: { ...error, description: 'Too many requests, or failures to prove itself; Retry-After says when to go on.' },
  503: { ...error, description: 'The database did not answer in time. Nothing was changed.' },
}
const ofClient = [{ client: [] }]
const text = { type: 'string' }

function form(properties: Record<string, object>, required: string[]) {
  const schema = { type: 'object', properties, required }
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema } } }
}

function json(description: string, properties: Record<string, object>, required: string[]) {
  const schema = { type: 'object', properties, required }
  return { description, content: { 'application/json': { schema } } }
}

function query(name: string, description: string, required = false) {
  return { name, in: 'query', required, description, schema: text }
}

function operation(operationId: string, summary: string, more: object) {
  return { operationId, summary, tags: ['OAuth'], ...more }
}

const token = {
  post: operation('exchangeToken', 'Exchange a code, a refresh token, or a client’s own credentials for tokens', {
    security: ofClient,
    requestBody: form(
      {
        grant_type: { type: 'string', enum: ['authorization_code', 'refresh_token', 'client_credentials'] },
        client_id: { ...text, description: 'Of a client without a secret' },
        code: text,
        redirect_uri: text,
        code_verifier: text,
        refresh_token: text,
        scope: text,
        resource: { ...text, description: 'The API that the token is for (RFC 8707)' },
      },
      ['grant_type'],
    ),
    responses: {
      200: json(
        'The tokens',
        {
          access_token: text,
          token_type: { type: 'string', enum: ['Bearer'] },
          expires_in: { type: 'integer', description: 'Seconds' },
          scope: text,
          refresh_token: { ...text, description: 'With the scope `offline_access`' },
          id_token: { ...text, description: 'With the scope `openid`' },
        },
        ['access_token', 'token_type', 'expires_in', 'scope'],
      ),
      ...failures,
    },
  }),
}

const introspect = {
  post: operation('introspectToken', 'What a token is worth now', {
    description: 'For the client to which it was issued (RFC 7662).',
    security: ofClient,
    requestBody: form({ token: text, token_type_hint: text }, ['token']),
    responses: {
      200: json('`active`, and of a token that is, its claims', { active: { type: 'boolean' } }, ['active']),
      ...failures,
    },
  }),
}

const revoke = {
  post: operation('revokeToken', 'End a token', {
    description: 'Of a token that is unknown the answer is the same (RFC 7009).',
    security: ofClient,
    requestBody: form({ token: text, token_type_hint: text }, ['token']),
    responses: {
      200: { description: 'It is good no more', content: { 'application/json': { schema: { type: 'null' } } } },
      ...failures,
    },
  }),
}

const claims = {
  description: 'What the scopes `profile` and `email` of the access token allow.',
  responses: {
    200: json(
      'The claims',
      { sub: text, name: text, picture: text, email: text, email_verified: { type: 'boolean' } },
      ['sub'],
    ),
    ...failures,
  },
}

const userInfo = {
  get: operation('getUserInfo', 'Who signed in', { ...claims, security: [{ accessToken: [] }] }),
  post: operation('postUserInfo', 'The same, with the token in the header or in the body', {
    ...claims,
    security: [{ accessToken: [] }, {}],
    requestBody: { ...form({ access_token: text }, []), required: false },
  }),
}

const authorize = {
  get: operation('authorize', 'Send somebody here to sign in for an application', {
    description:
      'They sign in, allow what is asked, and come back to `redirect_uri` with a code (RFC 6749 section 4.1).',
    security: [],
    parameters: [
      query('client_id', 'Who asks', true),
      query('redirect_uri', 'One that was registered', true),
      query('response_type', '`code`', true),
      query('scope', 'What is asked for, with blanks between', true),
      query('code_challenge', 'Of the code verifier (RFC 7636)', true),
      query('code_challenge_method', '`S256`', true),
      query('state', 'Comes back as it is'),
      query('nonce', 'Comes back in the ID token'),
      query('prompt', '`none`, `login`, `consent`, `create` or `select_account`'),
      query('max_age', 'Seconds after which to sign in again'),
      query('login_hint', 'The address of who is expected'),
      query('id_token_hint', 'An ID token of who is expected'),
      query('resource', 'The API that the access token is for'),
    ],
    responses: {
      302: { description: 'On to signing in, to the application, or to the page of the error' },
      ...failures,
    },
  }),
}

const endSession = {
  get: operation('endSession', 'Send somebody here to sign out', {
    description: 'They come back to `post_logout_redirect_uri` (OpenID Connect RP-Initiated Logout 1.0).',
    security: [],
    parameters: [
      query('id_token_hint', 'The ID token of who signs out'),
      query('client_id', 'Who asks'),
      query('post_logout_redirect_uri', 'One that was registered'),
      query('state', 'Comes back as it is'),
    ],
    responses: {
      302: { description: 'Signed out; back to the application' },
      303: { description: 'On to the page that asks, or says that they are signed out, or what is wrong' },
      ...failures,
    },
  }),
}

/** The paths of the OAuth provider, below `/api/auth`. */
export const oauthPaths = {
  '/oauth2/authorize': authorize,
  '/oauth2/token': token,
  '/oauth2/introspect': introspect,
  '/oauth2/revoke': revoke,
  '/oauth2/userinfo': userInfo,
  '/oauth2/end-session': endSession,
}

/** How their callers show who they are. */
export const oauthSchemes = {
  client: { type: 'http', scheme: 'basic', description: 'The id and the secret of a client (RFC 6749 section 2.3.1).' },
  accessToken: { type: 'http', scheme: 'bearer', description: 'An access token with the scope `openid`.' },
}
