import { blocksOf } from './client-address.ts'
import { ofSite, type Taken, tighter } from './quota.ts'
import { createRequestLimit, type RequestLimit } from './request-limit.ts'

/** How many requests a minute each client address may make, and each site of many IPv6 addresses. */
export interface AddressLimit extends Pick<RequestLimit, 'quota' | 'share'> {
  /**
   * Counts a request, if it may be made.
   * @param of what it asks for, where that is counted apart
   */
  take: (address: string, of?: string) => Taken
}

/** Limits requests by the address they come from, as `createRequestLimit` does. */
export function createAddressLimit({
  name,
  perMinute,
  exchange,
}: Pick<Parameters<typeof createRequestLimit>[0], 'name' | 'perMinute' | 'exchange'>): AddressLimit {
  const blocks = createRequestLimit({ name, perMinute, exchange })
  const wide = ofSite(blocks.quota)
  const sites = createRequestLimit({ name: wide.name, perMinute: wide.most, exchange })
  return {
    quota: blocks.quota,
    take(address, of = '') {
      const { block, site } = blocksOf(address)
      const taken = blocks.take(block + of)
      // What a block may not do must not use up what its neighbours may.
      return site === undefined || !taken.isAllowed ? taken : tighter(taken, sites.take(site + of))
    },
    async share() {
      const outcomes = await Promise.allSettled([blocks.share(), sites.share()])
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      return outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value)
    },
  }
}
