import { APIError } from 'better-auth/api'
import { refused, wrapEndpoint } from '../endpoint.ts'

// What Better-Auth says, as an error of its own, of who comes without the session they had before.
const noWayBack = new Set(['Failed to find user', 'Failed to find admin session'])

/** Refuses who acts as somebody and has no session of their own left to return to: that is no failure of ours. */
export function returnsToOwn<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    try {
      return await call(context)
    } catch (error) {
      if (!(error instanceof APIError) || !noWayBack.has(error.message)) throw error
      throw refused('NO_ADMIN_SESSION', 'There is no session of your own to return to', 'BAD_REQUEST')
    }
  })
}
