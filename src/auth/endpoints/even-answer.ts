import { wrapEndpoint } from '../endpoint.ts'

/** What an endpoint needs if nothing holds it up, and a little more. */
export const evenAnswerMs = 500

/**
 * Lets an endpoint of Better-Auth answer no sooner than this, whatever it has to do: how long it takes would tell whether
 * an address has an account. Better-Auth does the same for `/send-verification-email`.
 */
export function evenly<E>(endpoint: E): E {
  return wrapEndpoint(endpoint, async (call, context) => {
    const earliest = new Promise((resolve) => setTimeout(resolve, evenAnswerMs))
    try {
      return await call(context)
    } finally {
      await earliest
    }
  })
}
