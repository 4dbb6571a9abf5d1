import { AsyncLocalStorage } from 'node:async_hooks'
import { reportOutage } from './outage.ts'
import { waited } from './patience.ts'

/**
 * Runs what is not for the request under way, or not for it alone: it has no limit, is done in nobody's name, and what
 * becomes of it is not told of that request.
 */
export const outsideRequests: <T>(work: () => T) => T = AsyncLocalStorage.snapshot()

/**
 * Begins what several requests wait for. It is of none of them: it goes on though whoever began it waits no longer.
 * @returns waits for it as long as who calls that does; throws ImpatientError, and what the database answers, an outage
 * for each of them
 */
export function shareWork<T>(work: () => Promise<T>): () => Promise<T> {
  const answer = outsideRequests(work)
  // There may be nobody left who waits.
  answer.catch(() => {})
  return () =>
    waited(() => answer).catch((failure: Error) => {
      reportOutage(failure)
      throw failure
    })
}
