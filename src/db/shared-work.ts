import { reportOutage } from './outage.ts'
import { outOfPatience, waited } from './patience.ts'

/**
 * Begins what several requests wait for. It is of none of them: it goes on though whoever began it waits no longer.
 * @returns waits for it as long as who calls that does; throws ImpatientError, and what the database answers, an outage
 * for each of them
 */
export function shareWork<T>(work: () => Promise<T>): () => Promise<T> {
  const answer = outOfPatience(work)
  // There may be nobody left who waits.
  answer.catch(() => {})
  return async () => {
    try {
      return await waited(() => answer)
    } catch (error) {
      if (error instanceof Error) reportOutage(error)
      throw error
    }
  }
}
