export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** By path, the successes that Better-Auth does not document, or not as they are here. */
export const successes: Record<string, JsonObject> = {
  '/sign-in/email': {
    200: {
      description: 'Signed in',
      ...json(
        {
          redirect: { type: 'boolean', description: 'Whether a browser is to go on to `url`' },
          token: { type: 'string' },
          url: { type: ['string', 'null'] },
          user: { $ref: '#/components/schemas/User' },
        },
        ['redirect', 'token', 'user'],
      ),
    },
  },
  '/sign-up/email': {
    200: {
      description: 'Signed up; with a token where that signs in',
      ...json({ token: { type: ['string', 'null'] }, user: { $ref: '#/components/schemas/User' } }, ['token', 'user']),
    },
  },
  '/callback/{id}': {
    302: { description: 'Signed in; on to the callback URL, or to the error page' },
    303: { description: 'On to the error page' },
  },
  '/error': { 302: { description: 'On to the page that explains it' } },
  '/reset-password/{token}': { 302: { description: 'On to the callback URL, with the token or an error' } },
  '/admin/has-permission': {
    200: {
      description: 'Whether one has these permissions',
      ...json({ success: { type: 'boolean' }, error: { type: ['string', 'null'] } }, ['success']),
    },
  },
  '/admin/stop-impersonating': { 200: { description: 'One’s own session, with its cookie' } },
  '/admin/update-user': {
    200: { description: 'Changed', content: { 'application/json': { schema: { $ref: '#/components/schemas/User' } } } },
  },
  '/update-user': {
    200: { description: 'Changed', ...json({ status: { type: 'boolean', enum: [true] } }, ['status']) },
  },
  '/delete-user': {
    200: {
      description: 'The account is deleted',
      ...json({ success: { type: 'boolean' }, message: { type: 'string', enum: ['User deleted'] } }, [
        'success',
        'message',
      ]),
    },
  },
}

/** The content of a request or an answer: an object in JSON. */
export function json(properties: JsonObject, required: string[] = []): JsonObject {
  return { content: { 'application/json': { schema: { type: 'object', properties, required } } } }
}
